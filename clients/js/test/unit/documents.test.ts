// The examples in the documents are what the SDK takes: they are compiled.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { transform } from "esbuild";

const DOCUMENTS = ["README.md", "../../docs/sdk-js.md"];
const FOLDER = "build/documents";

/** The blocks of one language, over all documents. */
function blocks(language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm");
  return DOCUMENTS.flatMap((document) =>
    [...readFileSync(document, "utf8").matchAll(fence)].map(([, code = ""]) => code),
  );
}

test("the TypeScript in the documents compiles", () => {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const examples = blocks("ts");
  assert.ok(examples.length >= 9);
  for (const [index, code] of examples.entries()) writeFileSync(`${FOLDER}/${index}.ts`, code);
  const compilerOptions = {
    noEmit: true,
    rootDir: "../..",
    noUnusedLocals: false,
    paths: { murre: ["../../src/index.ts"] },
  };
  writeFileSync(
    `${FOLDER}/tsconfig.json`,
    JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include: ["."], exclude: [] }),
  );

  const { status, stdout } = spawnSync("node_modules/.bin/tsc", ["-p", FOLDER], { encoding: "utf8" });

  assert.equal(status, 0, stdout);
});

test("the snippets for JavaScript, React and Svelte are whole", async () => {
  const scripts = blocks("svelte").map(
    (component) => /<script lang="ts">([\s\S]*?)<\/script>/.exec(component)?.[1] ?? "",
  );

  for (const code of [...blocks("js"), ...blocks("tsx"), ...scripts]) {
    assert.match(code, /from "murre"/);
    await transform(code, { loader: "tsx", format: "esm" });
  }
});
