/** Commands, mail and syslog: what gets through, what does not, and what hostile words become. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { type Alert, formatAlert, makeAlert, parseAlert } from "../../src/response/alert.ts";
import { channelsOf } from "../../src/response/channels.ts";
import { letterOf } from "../../src/response/mail.ts";
import type { ChannelSettings } from "../../src/response/settings.ts";
import { syslogLine } from "../../src/response/syslog.ts";
import { wordsOf } from "../../src/response/words.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { WorldError } from "../../src/world/world.ts";
import { inFolder } from "../cli/harness.ts";
import { casesOf, Rig } from "./rig.ts";
import { SmtpSink } from "./smtp_sink.ts";

const AT = "2026-01-01T00:00:00.000Z";

function channel(settings: ChannelSettings) {
  return channelsOf(denoWorld(), { channels: [settings], allow: ["127.0.0.1", "localhost"] })[0]!;
}

function command(...argv: string[]) {
  return channel({ name: "command", least: "INFO", kind: "command", argv });
}

/** An alert with these words in every place that others can fill. */
function alertSaying(words: string): Alert {
  const telling = {
    ...{ event: "log.unavailable", state: "begins" as const, subject: words, monitor: words },
    ...{ detail: words, since: AT, at: AT, count: 2, isOfMonitor: false },
  };
  return makeAlert({
    ...{ case: `trouble ${words}`, level: "WARNING", action: "alert", state: "begins" },
    ...{ subject: words, monitor: "monitor.invalid/one", at: AT, since: AT, count: 2 },
    ...wordsOf(telling),
  }, 1);
}

async function provenAlert(): Promise<{ alert: Alert; record: ConflictRecord }> {
  const [record] = await casesOf(await Rig.make(), 1);
  const evidence = { kind: "conflict", record: record! } as const;
  const telling = {
    ...{ event: "incident.recorded", state: "begins" as const, subject: record!.log.origin },
    ...{ monitor: "monitor.invalid/one", detail: "", since: AT, at: AT, count: 1 },
    ...{ isOfMonitor: false, evidence },
  };
  const alert = makeAlert({
    ...{ case: `equivocation ${record!.evidence_id}`, level: "EMERGENCY", state: "begins" },
    ...{ action: "freeze_acceptance", subject: record!.log.origin, monitor: "monitor.invalid/one" },
    ...{ at: AT, since: AT, count: 1, evidence, ...wordsOf(telling) },
  }, 1);
  return { alert, record: record! };
}

inFolder(
  "alerts: a command gets the alert on its standard input, and no environment",
  async (folder) => {
    const { alert } = await provenAlert();
    const out = `${folder}/out`;
    await command("sh", "-c", `cat > ${out}; env > ${out}.env`).send(alert);
    assertEquals(parseAlert(Deno.readTextFileSync(out).trim()), alert);
    const names = Deno.readTextFileSync(`${out}.env`).trim().split("\n").map((line) =>
      line.split("=")[0]
    );
    assertEquals(
      names.filter((name) => !["PATH", "PWD", "_", "SHLVL", "OLDPWD"].includes(name!)),
      [],
    );
  },
);

Deno.test("alerts: a command that fails, is missing, does not read, or prints much", async () => {
  const { alert } = await provenAlert();
  await assertRejects(
    () => command("sh", "-c", "echo 'no \u001b[31m pager' >&2; exit 7").send(alert),
    WorldError,
    'sh ended with 7: "no \\u{1b}[31m pager"',
  );
  const missing = await assertRejects(() => command("/nowhere/pager").send(alert), WorldError);
  assert(["not found", "not permitted"].includes(missing.kind), missing.kind);
  await command("sh", "-c", "exec 0<&-; exit 0").send(alert);
  const much = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 0";
  await command("sh", "-c", much).send(alert);
});

Deno.test("alerts: a command that never ends is killed, and so is not waited for", async () => {
  const { commands } = denoWorld();
  const began = performance.now();
  const run = commands.run({
    ...{ argv: ["sh", "-c", "exec sleep 60"], input: new Uint8Array(5_000_000) },
    timeoutMs: 300,
  });
  const error = await assertRejects(() => run, WorldError, "was killed after 300 ms");
  assertEquals(error.kind, "timed out");
  // What it started may hold its standard error, and is not waited for either.
  const { code } = await commands.run({
    ...{ argv: ["sh", "-c", "sleep 3 & exit 4"], input: new Uint8Array(1), timeoutMs: 10_000 },
  });
  assertEquals(code, 4);
  assert(performance.now() - began < 2_900, `${performance.now() - began} ms`);
});

inFolder(
  "alerts: hostile words become no command, header, line or terminal code",
  async (folder) => {
    const hostile = [
      `log"; touch ${folder}/pwned; echo "`,
      `$(touch ${folder}/pwned)\`touch ${folder}/pwned\``,
      "log\r\nBcc: everyone@example.com\r\n\r\nhello",
      "log\u001b]0;title\u0007\u001b[2J\u009b31m",
      "log\u2028\u202egpj.exe\u200b\0",
      "x".repeat(5_000),
    ];
    await using sink = new SmtpSink();
    const mail = channel({
      ...{ name: "mail", least: "INFO", kind: "mail" },
      mail: {
        ...{ server: sink.address, tls: "none", from: "hearsay@example.com" },
        to: ["operator@example.com"],
      },
    });
    for (const words of hostile) {
      const alert = alertSaying(words);
      // deno-lint-ignore no-control-regex
      const control = /[\u0000-\u001f\u007f-\u009f\u2028\u202e\u200b]/;
      assert(!control.test(alert.title), alert.title);
      assert(!control.test(alert.text.replaceAll("\n", "")));
      assert(!control.test(formatAlert(alert)));
      assert(!control.test(syslogLine(alert)));
      assert(syslogLine(alert).length < 2_000);
      const { subject } = letterOf(alert);
      assert(!control.test(subject) && subject.length <= 200);
      await command("sh", "-c", "cat > /dev/null").send(alert);
      await mail.send(alert);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
    for (const { receivers, headers } of sink.letters) {
      assertEquals(receivers, ["operator@example.com"]);
      assert(!/^bcc:/im.test(headers), headers);
    }
    assertEquals(sink.letters.length, hostile.length);
  },
);

Deno.test("alerts: a letter has the words, and the evidence as a file that verifies", async () => {
  const { alert, record } = await provenAlert();
  await using sink = new SmtpSink();
  await channel({
    ...{ name: "mail", least: "INFO", kind: "mail" },
    mail: {
      ...{ server: sink.address, tls: "none", from: "hearsay@example.com" },
      to: ["one@example.com", "two@example.com"],
    },
  }).send(alert);
  const [letter] = sink.letters;
  assertEquals(letter!.receivers, ["one@example.com", "two@example.com"]);
  assertMatch(
    letter!.headers,
    /^Subject: \[EMERGENCY\] PROVEN: the key of log log\.invalid\/split/m,
  );
  assertMatch(letter!.headers, new RegExp(`^Message-ID: <${alert.id}@hearsay.invalid>`, "im"));
  const parts = letter!.parts;
  assertStringIncludes(parts.get("") ?? "", "hearsay verify case.json");
  const attached = parts.get("case.json")!;
  assertEquals(JSON.parse(attached), record);
  assertEquals(verifyConflict({ input: attached }).outcome, "holds");
  assertEquals(parseAlert(parts.get("alert.json")!.trim()), alert);
});

Deno.test("alerts: a mail server that refuses, hangs up, or is not there", async () => {
  const { alert } = await provenAlert();
  const to = (sink: { address: { hostname: string; port: number } }, tls: "none" | "starttls") =>
    channel({
      ...{ name: "mail", least: "INFO", kind: "mail" },
      mail: { server: sink.address, tls, from: "a@example.com", to: ["b@example.com"] },
    }).send(alert);
  {
    await using sink = new SmtpSink("refuses");
    await assertRejects(() => to(sink, "none"), WorldError, "550");
  }
  {
    await using sink = new SmtpSink("hangs up");
    await assertRejects(() => to(sink, "none"), WorldError);
  }
  {
    // It offers no TLS, so nothing is told in the clear.
    await using sink = new SmtpSink();
    await assertRejects(() => to(sink, "starttls"), WorldError);
    assertEquals(sink.letters.length, 0);
  }
  const gone = { address: { hostname: "127.0.0.1", port: 1 } };
  await assertRejects(() => to(gone, "none"), WorldError, "ECONNREFUSED");
});

Deno.test("alerts: a syslog server gets one line with its length", async () => {
  const { alert } = await provenAlert();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr as Deno.NetAddr;
  const reading = (async () => {
    using socket = await listener.accept();
    return await new Response(socket.readable).text().catch(() => "");
  })().catch((error) => String(error));
  await channel({ name: "log", least: "INFO", kind: "syslog", server: { hostname, port } }).send(
    alert,
  );
  const text = await reading;
  listener.close();
  const [, length, line] = /^(\d+) ([^]*)$/.exec(text)!;
  assertEquals(Number(length), new TextEncoder().encode(line).length);
  assertMatch(
    line!,
    /^<25>1 2026-01-01T00:00:00\.000Z monitor\.invalid\/one hearsay - [0-9a-f]{32} - EMERGENCY PROVEN: the key of log/,
  );
});
