import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const source = (name) => fileURLToPath(new URL(name, import.meta.url));

export default defineConfig({
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
