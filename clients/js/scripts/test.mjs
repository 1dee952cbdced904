// Runs the tests that tsc has built: `node scripts/test.mjs [unit|integration]`. Named one by one, since what
// `node --test` makes of a folder differs between its versions.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const folders = process.argv.length > 2 ? process.argv.slice(2) : ["unit", "integration"];
const files = folders.flatMap((folder) => {
  const path = join("build/test", folder);
  return readdirSync(path)
    .filter((name) => name.endsWith(".test.js"))
    .sort()
    .map((name) => join(path, name));
});
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-reporter=spec", ...files], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;
