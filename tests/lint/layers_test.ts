import { assertEquals } from "@std/assert";
import plugin from "./layers.ts";

/** What the rules say about a source text that stands in this file. */
function faults(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map(({ message }) => message);
}

/** For every room: something it must not import, each for a reason of its own. */
const WRONG_IMPORTS: [path: string, specifier: string, fault: string][] = [
  ["src/tlog/a.ts", "../evidence/b.ts", "tlog must not import evidence"],
  ["src/tlog/a.ts", "../world/b.ts", "tlog must not import world"],
  ["src/tlog/a.ts", "@std/cli/parse-args", "tlog is pure and must not import @std/cli/parse-args"],
  ["src/tlog/a.ts", "node:fs", "tlog must not import node:fs: the outside is behind src/world"],
  ["src/evidence/a.ts", "../store/b.ts", "evidence must not import store"],
  ["src/evidence/a.ts", "../world/b.ts", "evidence must not import world"],
  ["src/world/a.ts", "../evidence/b.ts", "world must not import evidence"],
  ["src/world/a.ts", "../gossip/b.ts", "world must not import gossip"],
  ["src/store/a.ts", "../gossip/b.ts", "store must not import gossip"],
  ["src/gossip/a.ts", "../store/b.ts", "gossip must not import store"],
  ["src/sources/a.ts", "../gossip/b.ts", "sources must not import gossip"],
  ["src/sources/a.ts", "../monitor/b.ts", "sources must not import monitor"],
  ["src/gather/a.ts", "../sources/b.ts", "gather must not import sources"],
  ["src/gather/a.ts", "../monitor/b.ts", "gather must not import monitor"],
  ["src/swarm/a.ts", "../gossip/b.ts", "swarm must not import gossip"],
  ["src/authority/a.ts", "../swarm/b.ts", "authority must not import swarm"],
  ["src/monitor/a.ts", "../cli/b.ts", "monitor must not import cli"],
  ["src/monitor/a.ts", "../web/b.ts", "monitor must not import web"],
  ["src/web/a.ts", "../cli/b.ts", "web must not import cli"],
  ["src/cli/a.ts", "../web/b.ts", "cli must not import web"],
  ["src/cli/a.ts", "../../main.ts", '"../../main.ts" does not lead to a file of a room'],
  ["src/cli/a.ts", "npm:left-pad@1", '"npm:left-pad@1" is not a bare name of the import map'],
  ["src/attic/a.ts", "./b.ts", "src/attic is not a room of the map"],
];

for (const [path, specifier, fault] of WRONG_IMPORTS) {
  Deno.test(`layers: ${path} must not import ${specifier}`, () => {
    for (
      const source of [
        `import { b } from "${specifier}"; b();`,
        `import type { B } from "${specifier}"; export type C = B;`,
        `export { b } from "${specifier}";`,
        `export * from "${specifier}";`,
      ]
    ) assertEquals(faults(path, source), [fault], source);
  });
}

Deno.test("layers: the pure rooms take only the synchronous, repeatable part of node:crypto", () => {
  assertEquals(faults("src/tlog/a.ts", `import { verify } from "node:crypto"; verify;`), []);
  assertEquals(faults("src/tlog/a.ts", `import { randomBytes } from "node:crypto"; randomBytes;`), [
    "tlog must not import randomBytes of node:crypto",
  ]);
  assertEquals(faults("src/evidence/a.ts", `import * as c from "node:crypto"; c;`), [
    "evidence must not import * of node:crypto",
  ]);
  assertEquals(faults("src/gossip/a.ts", `import { verify } from "node:crypto"; verify;`), [
    "gossip must not import node:crypto: the outside is behind src/world",
  ]);
});

Deno.test("layers: every import the map allows is allowed", () => {
  const allowed: [string, string][] = [
    ["src/tlog/a.ts", "./b.ts"],
    ["src/tlog/a.ts", "@std/encoding/hex"],
    ["src/evidence/a.ts", "../tlog/b.ts"],
    ["src/evidence/a.ts", "@noble/ed25519"],
    ["src/evidence/a.ts", "@noble/curves/nist.js"],
    ["src/tlog/a.ts", "@noble/post-quantum/ml-dsa.js"],
    ["src/tlog/a.ts", "@chainsafe/as-sha256/wasm.js"],
    ["src/world/a.ts", "../tlog/b.ts"],
    ["src/gossip/a.ts", "../evidence/b.ts"],
    ["src/gossip/a.ts", "../world/b.ts"],
    ["src/monitor/a.ts", "../gossip/b.ts"],
    ["src/web/a.ts", "../monitor/b.ts"],
    ["src/cli/a.ts", "../monitor/b.ts"],
    ["main.ts", "./src/cli/b.ts"],
  ];
  for (const [path, specifier] of allowed) {
    assertEquals(
      faults(path, `import { b } from "${specifier}"; b();`),
      [],
      `${path} ${specifier}`,
    );
  }
});

Deno.test("layers: no file of the program is imported at run time", () => {
  assertEquals(faults("src/cli/a.ts", `import("../web/b.ts");`), [
    "cli must not import at run time",
  ]);
  for (const what of ['"./b.ts"', "name", '"https://example.com/a.js"', '"npm:postgres"']) {
    assertEquals(faults("src/world/a.ts", `import(${what});`).length, 1, what);
  }
});

Deno.test("layers: world loads a package when it is needed, by its bare name", () => {
  assertEquals(faults("src/world/a.ts", `import("postgres");`), []);
  assertEquals(faults("src/store/a.ts", `import("postgres");`), [
    "store must not import at run time",
  ]);
});

for (const room of ["tlog", "evidence", "store", "gossip", "monitor"]) {
  Deno.test(`outside: ${room} does not reach it past src/world`, () => {
    const why = room === "tlog" || room === "evidence"
      ? `${room} is pure`
      : "the outside is reached through src/world alone";
    const uses: [source: string, what: string][] = [
      [`Deno.readFileSync("x");`, "Deno"],
      [`const d = new Date();`, "Date"],
      [`Date.now();`, "Date"],
      [`performance.now();`, "performance"],
      [`Math.random();`, "Math.random"],
      [`crypto.getRandomValues(new Uint8Array(1));`, "crypto"],
      [`setTimeout(() => {}, 1);`, "setTimeout"],
      [`fetch("http://x");`, "fetch"],
      [`console.log(1);`, "console"],
      [`globalThis["Deno"];`, "globalThis"],
      [`const f = { fetch };`, "fetch"],
    ];
    for (const [source, what] of uses) {
      assertEquals(faults(`src/${room}/a.ts`, source)[0], `${what} in ${room}: ${why}`, source);
    }
  });
}

Deno.test("outside: names of members and types are not uses", () => {
  const source = `function f(clock: { now(): Date; fetch: number }): Date {
    return clock.fetch > 0 ? clock.now() : clock.now();
  }
  f;`;
  assertEquals(faults("src/store/a.ts", source), []);
});

Deno.test("outside: of the commands' files two may use what a process has, and no other", () => {
  for (const file of ["terminal", "folders"]) {
    assertEquals(faults(`src/cli/${file}.ts`, `Deno.stdout;`), []);
    assertEquals(faults(`src/web/${file}.ts`, `Deno.stdout;`).length, 1);
  }
  assertEquals(faults("src/cli/a.ts", `Deno.stdout;`), [
    "Deno in cli: the outside is reached through src/world alone",
  ]);
});

Deno.test("synchronous: tlog and evidence have no asynchronous code", () => {
  const sources = [
    `export async function f() {}`,
    `export const f = async () => {};`,
    `export const f = { async g() {} };`,
    `export function f(): Promise<void> { return Promise.resolve(); }`,
  ];
  for (const source of sources) {
    assertEquals(faults("src/evidence/a.ts", source).length > 0, true, source);
    assertEquals(faults("src/store/a.ts", source), [], source);
  }
});

Deno.test("exit: only main.ts ends the process", () => {
  assertEquals(faults("src/cli/terminal.ts", `Deno.exit(1);`), ["only main.ts ends the process"]);
  assertEquals(faults("src/cli/terminal.ts", `Deno.exitCode = 1;`), [
    "only main.ts ends the process",
  ]);
  assertEquals(faults("main.ts", `Deno.exit(1);`), []);
});
