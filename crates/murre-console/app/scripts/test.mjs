// Runs the tests: `node scripts/test.mjs [unit|browser]`. Named one by one, since what `node --test` makes of a folder
// differs between its versions.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const folders = process.argv.length > 2 ? process.argv.slice(2) : ["unit", "browser"];
const files = folders.flatMap((folder) => {
  const path = join("test", folder);
  return readdirSync(path)
    .filter((name) => name.endsWith(".test.mjs"))
    .sort()
    .map((name) => join(path, name));
});
const { status } = spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...files], { stdio: "inherit" });
process.exitCode = status ?? 1;
