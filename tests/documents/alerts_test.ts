/** What OPERATING shows of alerts is what the program reads and writes. */
import { assertEquals } from "@std/assert";
import { ALERT_LEVELS, ALERT_STATES, parseAlert } from "../../src/response/alert.ts";
import { parsePolicy, PROVABLE_EVENTS } from "../../src/response/policy.ts";
import { parseConfig } from "../../src/cli/config.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { readDocument } from "./document.ts";

const OPERATING = readDocument("documents/OPERATING.md");
const [, SECTION = ""] = /^## Alerts\n([^]*?)^## /m.exec(OPERATING) ?? [];
const blocks = [...SECTION.matchAll(/```jsonc?\n([^]*?)```/g)].map(([, text]) => text!);

Deno.test("operating: the policy in it can be read, and so can the section of the configuration", () => {
  const world = denoWorld();
  const [section, policy] = blocks;
  assertEquals(parsePolicy(policy!, { path: "policy.json", world }).length, 10);
  const config = `{ "name": "monitor.example.com/berlin", "logs": [{
    "vkey": "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    "origin": "go.sum database tree", "source": "/logs/sum" }], ${section} }`;
  const { alerts } = parseConfig(config, { path: "hearsay.jsonc", world });
  assertEquals(alerts!.channels.map(({ kind }) => kind), ["webhook", "mail", "command", "syslog"]);
});

Deno.test("operating: the alert in it has every member of one, and its words are explained", () => {
  const alert = parseAlert(blocks[2]!);
  assertEquals(Object.keys(alert), [
    ...["version", "id", "case", "level", "action", "state", "subject", "monitor", "at", "since"],
    ...["count", "title", "text", "evidence"],
  ]);
  const words = [...ALERT_LEVELS, ...ALERT_STATES, ...PROVABLE_EVENTS];
  assertEquals(words.filter((word) => !SECTION.includes(word)), []);
});
