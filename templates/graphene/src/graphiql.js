// The one file the template names. It holds nothing but this import: a chunk that imported its
// entry back would run it twice wherever Django serves the entry under a hashed name.
import("./page.jsx");
