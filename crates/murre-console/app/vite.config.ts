// Builds the page: `vite build --outDir WHERE`. The crate's build.rs does it and embeds what comes out; `npm run dev`
// serves it with a broker on port 8080 behind it.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Behind the pages that `npm run dev` serves. */
const BROKER = "http://127.0.0.1:8080";

export default defineConfig({
  root: here("."),
  publicDir: false,
  resolve: {
    // The SDK from its sources, so that a clone has nothing to build or install there first.
    alias: { murre: here("../../../clients/js/src/index.ts") },
    dedupe: ["@msgpack/msgpack"],
  },
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    // The policy forbids data: addresses, and one script needs no preloading.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
  server: {
    fs: { allow: [here(".."), here("../../../clients/js")] },
    proxy: {
      "/ws": { target: BROKER, ws: true, changeOrigin: true },
      // The broker takes what a page asks of it only from its own.
      "/admin": { target: BROKER, changeOrigin: true, headers: { origin: BROKER } },
    },
  },
});
