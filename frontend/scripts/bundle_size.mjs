// Fails when the page has grown too large: everything that it can ever load, lazy parts too, compressed as it is sent.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LIMIT_KB = 350;
const KB = 1024;

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const html = readFileSync(join(dist, "index.html"));
const files = readdirSync(join(dist, "assets")).filter((name) => /\.(js|css)$/.test(name));
const sizes = files.map((name) => ({ name, kb: gzipSync(readFileSync(join(dist, "assets", name))).length / KB }));
const at_once = sizes.filter(({ name }) => html.includes(name)).reduce((sum, { kb }) => sum + kb, 0);
const in_all = sizes.reduce((sum, { kb }) => sum + kb, gzipSync(html).length / KB);

console.log(`page: ${at_once.toFixed(1)} KB gzipped at once, ${in_all.toFixed(1)} KB in all (limit ${LIMIT_KB} KB)`);
if (in_all > LIMIT_KB) {
  const largest = sizes.sort((a, b) => b.kb - a.kb).slice(0, 5);
  console.error(`too large by ${(in_all - LIMIT_KB).toFixed(1)} KB. The largest files:`);
  for (const { name, kb } of largest) console.error(`  ${kb.toFixed(1)} KB ${name}`);
  process.exit(1);
}
