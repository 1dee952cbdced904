// Bundles the SDK with its dependency into one module for a page without a bundler: `node scripts/bundle.mjs OUTFILE`.

import { build } from "esbuild";

const [outfile] = process.argv.slice(2);
await build({
  entryPoints: ["src/index.ts"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outfile,
});
