import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const GZIPPED_BYTES_MAX = 20 * 1024;

test("the bundle with its dependency stays below 20 KiB gzipped", async () => {
  const options = { bundle: true, minify: true, format: "esm", target: "es2022", write: false } as const;
  const { outputFiles } = await build({ ...options, entryPoints: ["src/index.ts"] });

  const bytes = gzipSync(outputFiles[0]?.contents ?? new Uint8Array(), { level: 9 }).length;

  console.log(`the bundle has ${bytes} bytes gzipped`);
  assert.ok(bytes > 0 && bytes < GZIPPED_BYTES_MAX, `${bytes} bytes, ${GZIPPED_BYTES_MAX} are allowed`);
});
