/** The policy's file, the default rules, and the section of the configuration. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parseConfig } from "../../src/cli/config.ts";
import { DEFAULT_RULES, type EventFacts, parsePolicy, ruleFor } from "../../src/response/policy.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { denoWorld } from "../../src/world/deno.ts";

const world = denoWorld();
const facts = (event: string, told = "warning", more: Partial<EventFacts> = {}): EventFacts => ({
  ...{ event, told, subject: "", about: "log" },
  ...more,
});

function decided(event: string, told?: string, more?: Partial<EventFacts>): string {
  const { level, action } = ruleFor(DEFAULT_RULES, facts(event, told, more))!;
  return `${level} ${action}`;
}

Deno.test("policy: the default is what the project promises", () => {
  const wanted: Record<string, readonly string[]> = {
    "EMERGENCY freeze_acceptance": ["incident.recorded", "incident.not written"],
    "CRITICAL reject_and_alert": ["log.unverified", "log.unproven"],
    "WARNING alert": [
      ...["log.withheld", "log.frozen", "log.unavailable", "log.rolled back", "disk.refused"],
      ...["daemon.fault", "exchange.failed", "alert.disabled", "incident.refused"],
    ],
    "INFO none": ["log.first", "log.extends", "daemon.started", "exchange.matches", "made.up"],
  };
  for (const [decision, events] of Object.entries(wanted)) {
    for (const event of events) assertEquals(decided(event, "error"), decision, event);
  }
  assertEquals(decided("log.unproven", "warning"), "WARNING alert");
  assertEquals(decided("incident.recorded", "error", { about: "monitor" }), "CRITICAL alert");
});

Deno.test("policy: the first rule that matches decides", () => {
  const rules = parsePolicy(
    `{
      // Ours, which is reset every week.
      "version": "hearsay/alert-policy/v1",
      "rules": [
        { "event": "log.*", "subject": "test.example/log", "level": "INFO", "action": "none" },
        { "event": "log.unavailable", "level": "WARNING", "action": "alert", "afterSeconds": 60 },
        { "event": "log.unproven", "told": "error", "level": "CRITICAL", "action": "reject_and_alert" },
        { "event": "*", "level": "INFO", "action": "none" },
      ],
    }`,
    { path: "policy.json", world },
  );
  const of = (one: EventFacts) => ruleFor(rules, one)!;
  assertEquals(of(facts("log.unavailable", "warning", { subject: "test.example/log" })).line, 5);
  assertEquals([of(facts("log.unavailable")).line, of(facts("log.unavailable")).afterMs], [
    6,
    60_000,
  ]);
  assertEquals(of(facts("log.unproven", "error")).level, "CRITICAL");
  assertEquals(of(facts("log.unproven", "warning")).line, 8);
});

Deno.test("policy: whatever is wrong with it is told, with its line", () => {
  const rule = (text: string) => `{"version":"hearsay/alert-policy/v1","rules":[\n${text}]}`;
  const ok = '"event":"log.frozen","level":"WARNING","action":"alert"';
  const cases: [text: string, message: RegExp][] = [
    ["", /^p\.json:1:1: not JSONC/],
    ["[]", /the policy/],
    ['{"rules":[]}', /lacks the member "version"/],
    [rule(`{${ok}}`).replace("v1", "v2"), /expected one of hearsay\/alert-policy\/v1/],
    [rule(""), /rules has 0 items, expected at least 1/],
    [rule(`{${ok},"sound":"loud"}`), /^p\.json:2:\d+: a rule has no member "sound"/],
    [rule(`{${ok.replace("WARNING", "LOUD")}}`), /^p\.json:2:\d+: level is "LOUD"/],
    [rule(`{${ok.replace('"alert"', '"page"')}}`), /action is "page"/],
    [
      rule(`{${ok.replace("log.frozen", "Log Frozen")}}`),
      /event is "Log Frozen", expected an event/,
    ],
    [rule(`{${ok},"afterSeconds":0}`), /afterSeconds is 0/],
    [rule(`{${ok},"told":"loud"}`), /told is "loud"/],
    // No evidence that a machine could check comes with it.
    [
      rule(`{${ok.replace("WARNING", "CRITICAL")}}`),
      /level is CRITICAL for log\.frozen, which has no evidence/,
    ],
    [rule('{"event":"*","level":"EMERGENCY","action":"alert"}'), /level is EMERGENCY for \*/],
  ];
  for (const [text, message] of cases) {
    const error = assertThrows(() => parsePolicy(text, { path: "p.json", world }), MalformedError);
    assertMatch(error.message, message);
  }
});

/** A configuration with this section of alerts. */
function config(alerts: string) {
  const vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
  const text = `{ "name": "monitor.example/a",
    "logs": [{ "vkey": "${vkey}", "origin": "go.sum database tree", "source": "/logs/sum" }],
    "alerts": ${alerts} }`;
  return parseConfig(text, { path: "/etc/hearsay/hearsay.jsonc", world }).alerts;
}

Deno.test("alerts: the section of the configuration", () => {
  const alerts = config(`{
    "policy": "policy.json",
    "channels": [
      { "webhook": "https://hooks.example.com/x", "secret": "hook.secret", "least": "WARNING" },
      { "mail": { "server": "mail.example.com:465", "from": "a@example.com", "to": ["b@example.com"],
                  "user": "a", "password": "mail.password" } },
      { "name": "pager", "command": ["/usr/local/bin/page", "--now"] },
      { "syslog": "logs.example.com:601" },
    ],
    "allow": ["mail.example.com"],
    "heartbeat": { "url": "https://beats.example.com/x", "every": "2m" },
  }`)!;
  assertEquals(alerts.policy, "/etc/hearsay/policy.json");
  assertEquals(alerts.channels.map(({ name, least, kind }) => `${name} ${least} ${kind}`), [
    ...["webhook WARNING webhook", "mail INFO mail", "pager INFO command", "syslog INFO syslog"],
  ]);
  const mail = alerts.channels[1]!;
  assertEquals(mail.kind === "mail" && mail.mail.tls, "on connect");
  assertEquals(alerts.heartbeat, { url: "https://beats.example.com/x", everyMs: 120_000 });
});

Deno.test("alerts: what is wrong with the section is told with its place", () => {
  const channel = (text: string) => `{ "channels": [${text}] }`;
  const mail = (text: string) =>
    channel(
      `{ "mail": { "server": "m.example:587", "from": "a@b.example", "to": ["c@d.example"]${text} } }`,
    );
  const cases: [alerts: string, message: RegExp][] = [
    ['{ "chanels": [] }', /alerts has no member "chanels"/],
    [channel("{}"), /a channel has none, expected one of webhook, mail, command, syslog/],
    [channel('{ "webhook": "https://a.example/" }'), /lacks the member "secret"/],
    [
      channel('{ "webhook": "ftp://a.example/", "secret": "s" }'),
      /webhook is a URL of "ftp", expected a URL of https or http/,
    ],
    [channel('{ "webhook": "hooks", "secret": "s" }'), /webhook is no URL, expected a URL of/],
    [
      channel('{ "webhook": "https://u:p@a.example/", "secret": "s" }'),
      /webhook is a URL with a user or a password in it, expected/,
    ],
    [channel('{ "command": [] }'), /command has 0 items, expected at least 1/],
    [channel('{ "command": "rm -rf /" }'), /command is "rm -rf \/", expected a list/],
    [channel('{ "command": ["a"], "syslog": "b:1" }'), /a channel has command and syslog/],
    [channel('{ "command": ["a"] }, { "command": ["b"] }'), /two channels are called "command"/],
    [channel('{ "command": ["a"], "secret": "s" }'), /only a webhook has a secret/],
    [mail(', "user": "u"'), /one of user and password, expected both or none/],
    [mail(', "user": "u", "password": "p", "tls": "none"'), /in the clear/],
    [mail("").replace("c@d.example", "c@d.example>,<e@f.example"), /expected a mail address/],
    [
      mail("").replace("c@d.example", "c@d.example\\r\\nBcc: x@y.example"),
      /expected a mail address/,
    ],
    ['{ "heartbeat": { "every": "5m" } }', /the heartbeat lacks the member "url"/],
  ];
  for (const [alerts, message] of cases) {
    assertMatch(assertThrows(() => config(alerts), MalformedError).message, message);
  }
});
