import { assertEquals, assertThrows } from "@std/assert";
import { type LogList, parseLogList, readLogList } from "../../src/authority/log_list.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { PushingLog } from "./pushing_log.ts";

const { vkey } = (await PushingLog.named("log.invalid/one")).log;
const other = (await PushingLog.named("log.invalid/two")).log.vkey;
const ENTRY = `vkey ${vkey.text}\nqpd 86400\ncontact somebody\n`;

Deno.test("log list: logs with and without an origin, comments, and spaces around lines", () => {
  const { logs, dropped } = parseLogList(
    `# a list\n \t\n  logs/v0\t\n\n${ENTRY}\n# another\n\tvkey ${other.text} \norigin a log\n` +
      "qpd 1\ncontact a | b\n",
  );
  assertEquals([...logs], [
    ["log.invalid/one", { notation: vkey.text, qpd: 86_400 }],
    ["a log", { notation: `${other.text} a log`, qpd: 1 }],
  ]);
  assertEquals(dropped, []);
});

const DROPPED: readonly [what: string, entry: string][] = [
  ["a vkey that cannot be read", ENTRY.replace("+", "+0")],
  ["no qpd", ENTRY.replace("qpd 86400\n", "")],
  ["no contact", ENTRY.replace("contact somebody\n", "")],
  ["qpd 0", ENTRY.replace("86400", "0")],
  ["qpd with a leading zero", ENTRY.replace("86400", "086400")],
  ["qpd 2^31", ENTRY.replace("86400", "2147483648")],
  ["another order", `vkey ${vkey.text}\ncontact somebody\nqpd 86400\n`],
  ["an unknown line", `${ENTRY}more 1\n`],
  ["two origins", ENTRY.replace("qpd", "origin a\norigin b\nqpd")],
  ["an origin without a text", ENTRY.replace("qpd", "origin\nqpd")],
];

for (const [what, entry] of DROPPED) {
  Deno.test(`log list: a log with ${what} is left out, and the others count`, () => {
    const good = `vkey ${other.text}\nqpd 2147483647\ncontact c\n`;
    const { logs, dropped } = parseLogList(`logs/v0\n${entry}${good}`);
    assertEquals([...logs.keys()], ["log.invalid/two"]);
    assertEquals(dropped.length, 1);
    assertEquals(dropped[0]!.startsWith("line 2: "), true, dropped[0]);
  });
}

Deno.test("log list: of two logs with one origin the first counts", () => {
  const { logs, dropped } = parseLogList(`logs/v0\n${ENTRY}${ENTRY}`);
  assertEquals([logs.size, dropped.length], [1, 1]);
});

Deno.test("log list: what is known is not checked again, and what has changed is", () => {
  const wrong = vkey.text.replace(/.$/, (digit) => digit === "A" ? "B" : "A");
  const list = (text: string, qpd = 5) => `logs/v0\nvkey ${text}\nqpd ${qpd}\ncontact c\n`;
  const { logs } = parseLogList(list(vkey.text));
  // A key that cannot be would be left out if it were looked at.
  const trusted = new Map([["log.invalid/one", { notation: wrong, qpd: 5 }]]);
  assertEquals(parseAll(list(wrong), trusted).logs.size, 1);
  assertEquals(parseAll(list(wrong), logs).dropped.length, 1);
  assertEquals(parseAll(list(vkey.text, 9), logs).logs.get("log.invalid/one")!.qpd, 9);
  assertEquals(parseAll(list("log.invalid/one"), logs).dropped.length, 1);
});

function parseAll(text: string, known: LogList["logs"]): LogList {
  const reading = readLogList({ text, known });
  for (;;) {
    const { done, value } = reading.next();
    if (done) return value;
  }
}

Deno.test("log list: a long one is read in steps", () => {
  const entries = Array.from({ length: 1_200 }, () => ENTRY).join("");
  assertEquals([...readLogList({ text: `logs/v0\n${entries}` })].length, 2);
});

Deno.test("log list: without its header it is none", () => {
  for (const text of ["", ENTRY, `logs/v1\n${ENTRY}`, `${ENTRY}logs/v0\n`, `logs /v0\n${ENTRY}`]) {
    assertThrows(() => parseLogList(text), MalformedError);
  }
});
