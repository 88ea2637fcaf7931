import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const source = (name) => fileURLToPath(new URL(name, import.meta.url));

// Monaco's sources hold an old DOMPurify, which cleans what the editor shows as HTML.
const newDompurify = {
  name: "new-dompurify",
  enforce: "pre",
  resolveId: (imported, importer) =>
    imported.endsWith("/dompurify/dompurify.js") && importer.includes("monaco-editor")
      ? source("src/dompurify.js")
      : null,
};

export default defineConfig({
  plugins: [newDompurify],
  // Relative, so that chunks and workers load wherever Django's STATIC_URL puts them.
  base: "./",
  publicDir: false,
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // One style sheet, which the template can name.
    cssCodeSplit: false,
    // Monaco alone is some 3 MB; a warning at each build would only teach people to ignore it.
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      input: { graphiql: source("src/graphiql.js") },
      onLog: (level, log, report) => log.code === "MODULE_LEVEL_DIRECTIVE" || report(level, log),
      output: {
        // Otherwise in the entry, which no chunk may import (see graphiql.js).
        codeSplitting: { groups: [{ name: "preload", test: /vite\/preload-helper/ }] },
        entryFileNames: "[name].js",
        chunkFileNames: "chunks/[name]-[hash].js",
        assetFileNames: ({ names }) =>
          names.some((name) => name.endsWith(".css")) ? "graphiql.css" : "assets/[name]-[hash][extname]",
      },
    },
  },
  worker: {
    format: "es",
    rolldownOptions: {
      output: {
        entryFileNames: "workers/[name]-[hash].js",
        chunkFileNames: "workers/[name]-[hash].js",
      },
    },
  },
});
