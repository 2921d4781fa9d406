/** The metrics: prom-client 15.1.3 is the oracle of the format, and promtool where it is installed. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import client from "prom-client";
import type { LogStatus, Status } from "../../src/monitor/status.ts";
import {
  CONTENT_TYPES,
  type Family,
  type Format,
  formatMetrics,
  preferredFormat,
} from "../../src/web/exposition.ts";
import { metricsOf } from "../../src/web/metrics.ts";
import { MAX_SAMPLES } from "../../src/web/samples.ts";
import { FULL, LOG, vkeyOf } from "./full_status.ts";
import { ask, pageOf, textIn } from "./page_of.ts";
import { shell, testWith } from "../programs.ts";

/** What prom-client makes of the same families. */
async function oracle(families: readonly Family[], format: Format): Promise<string> {
  const registry = new client.Registry();
  if (format === "openmetrics") registry.setContentType(client.openMetricsContentType as never);
  for (const { name, type, help, samples } of families) {
    const labelNames = [...new Set(samples.flatMap(({ labels }) => Object.keys(labels)))];
    const made = { help, labelNames, registers: [registry] };
    if (type === "gauge") {
      const gauge = new client.Gauge({ ...made, name });
      // Without a label it begins with a sample of 0, which we leave out where nothing is known.
      if (samples.length === 0) gauge.remove();
      for (const { labels, value } of samples) gauge.set(labels, value);
    } else {
      const counter = new client.Counter({ ...made, name: `${name}_total` });
      if (samples.length === 0) counter.remove();
      for (const { labels, value } of samples) counter.inc(labels, value);
    }
  }
  return await registry.metrics();
}

/** Lines without the empty ones, which separate families in prom-client's text and mean nothing. */
function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** A family with all that has to be escaped, and values of every kind. */
const AWKWARD: Family = {
  ...{ name: "hearsay_awkward", type: "gauge", help: "a \\ backslash\nand a new line" },
  samples: [0, -0, 1, -1.5, 1e21, 1.7e-7, 2 ** 53, Infinity, -Infinity].map((value, i) => ({
    labels: { at: `${i}`, text: 'a "b" \\n \\ c\nd\u2028é\t' },
    value,
  })),
};

for (const format of ["text", "openmetrics"] as const) {
  Deno.test(`metrics: prom-client writes the same page from the same families (${format})`, async () => {
    const families = [...metricsOf(FULL, undefined), AWKWARD, { ...AWKWARD, name: "hearsay_two" }];
    const text = formatMetrics(families, format);
    assertEquals(linesOf(text), linesOf(await oracle(families, format)));
    assertEquals(text.endsWith("# EOF\n"), format === "openmetrics");
  });
}

Deno.test("metrics: where prom-client departs from the specifications, they are followed", () => {
  // prom-client writes "Nan". Text format: "NaN, +Inf, and -Inf are valid values".
  const samples = [{ labels: {}, value: NaN }];
  const family: Family = { name: "hearsay_x", type: "gauge", help: 'a "quote"', samples };
  assertEquals(
    formatMetrics([family], "text"),
    '# HELP hearsay_x a "quote"\n# TYPE hearsay_x gauge\nhearsay_x NaN\n',
  );
  // OpenMetrics 1.0.0, ABNF: escaped-string has DQUOTE only behind BS, in HELP too.
  assertEquals(
    formatMetrics([family], "openmetrics").split("\n")[0],
    '# HELP hearsay_x a \\"quote\\"',
  );
});

await testWith("promtool", "metrics: promtool check metrics has nothing to say", async () => {
  for (const status of [FULL, EMPTY]) {
    const input = formatMetrics(metricsOf(status, undefined), "text");
    assertEquals(await shell("promtool check metrics", { input }), { code: 0, said: "" });
  }
});

const EMPTY: Status = {
  ...{ name: "m", vkey: FULL.vkey, startedAt: FULL.startedAt, now: FULL.now },
  ...{ incidents: 0, unwritten: false, logs: [], peers: [] },
};

/** The value of each series of a status. */
function seriesOf(status: Status, refusal?: string): Map<string, string> {
  const lines = linesOf(formatMetrics(metricsOf(status, refusal), "text"));
  return new Map(
    lines.filter((line) => !line.startsWith("#")).map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

/** Series of the full status, and what each says. `{L}` are the labels of its log. */
const SAID: readonly [series: string, value: number][] = [
  ["hearsay_start_time_seconds", Date.UTC(2026, 10, 28, 10) / 1_000],
  ["hearsay_ready", 0],
  ["hearsay_writable", 1],
  ["hearsay_incidents", 2],
  ["hearsay_member_incidents", 1],
  ["hearsay_incident_unwritten", 1],
  ["hearsay_faults_total", 3],
  ["hearsay_events_lost_total", 4],
  ["hearsay_lost_items", 1],
  ["hearsay_reload_refused", 1],
  ["hearsay_compared", 0],
  ["hearsay_log_tree_size{L}", 12],
  ["hearsay_log_committed_tree_size{L}", 10],
  ["hearsay_log_next_look_timestamp_seconds{L}", Date.UTC(2026, 10, 28, 10, 0, 0, 500) / 1_000],
  ['hearsay_log_result{L,result="unchanged"}', 1],
  ['hearsay_log_result{L,result="unavailable"}', 0],
  ['hearsay_log_findings_total{L,result="unchanged"}', 5],
  ["hearsay_log_incidents{L}", 2],
  ["hearsay_log_open_questions{L}", 7],
  ["hearsay_log_withheld{L}", 3],
  ["hearsay_log_left_out_total{L}", 4],
  ["hearsay_log_shared_peers{L}", 1],
  [
    'hearsay_log_witness_state{L,witness="witness.invalid/w1",witness_key="0a1b2c3d",state="lagging"}',
    1,
  ],
  [
    'hearsay_log_witness_state{L,witness="witness.invalid/w1",witness_key="0a1b2c3d",state="missing"}',
    0,
  ],
  ['hearsay_peer_exchanges_total{peer="peer.invalid:9900"}', 9],
  ['hearsay_peer_failures_total{peer="peer.invalid:9900"}', 2],
  ['hearsay_peer_failing{peer="peer.invalid:9900"}', 1],
  ['hearsay_member_state{member="peer.invalid/p",key="0a1b2c3d",state="connected"}', 1],
  ['hearsay_member_round_trip_seconds{member="peer.invalid/p",key="0a1b2c3d"}', 0.0125],
  ['hearsay_member_refusals_total{member="peer.invalid/p",key="0a1b2c3d",reason="malformed"}', 2],
  ["hearsay_witness_logs", 5],
  ["hearsay_federation_entries", 2],
  ["hearsay_federation_behind", 1],
  ['hearsay_mirror_entries{monitor="peer.invalid/p",key="0a1b2c3d"}', 20],
  ['hearsay_mirror_signed_entries{monitor="peer.invalid/p",key="0a1b2c3d"}', 21],
  ['hearsay_mirror_unhealthy{monitor="peer.invalid/p",key="0a1b2c3d"}', 1],
];

Deno.test("metrics: each says what the status says, in seconds and with the log's labels", () => {
  const series = seriesOf(FULL);
  const labels = 'origin="log.invalid/\\"one\\"\\\\",key="0a1b2c3d"';
  for (const [name, value] of SAID) {
    assertEquals([name, series.get(name.replace("L", labels))], [name, `${value}`]);
  }
});

Deno.test("metrics: what is not known has no sample, and no family is ever missing", () => {
  const names = (status: Status): string[] => metricsOf(status, undefined).map(({ name }) => name);
  assertEquals(names(EMPTY), names(FULL));
  const series = [...seriesOf(EMPTY).keys()];
  assertEquals(
    series.filter((name) => /_(log|peer|member_st|member_f|mirror|witness|federation)/.test(name)),
    [],
  );
  const { size: _size, lastResult: _last, lastLookAt: _at, ...unseen } = LOG;
  const logs: LogStatus[] = [unseen];
  const told = [...seriesOf({ ...EMPTY, logs }).keys()];
  for (const name of ["tree_size{", "result{", "last_look_timestamp_seconds{"]) {
    assertEquals(told.filter((series) => series.startsWith(`hearsay_log_${name}`)), []);
  }
});

Deno.test("metrics: a daemon that looked at nothing, or cannot write, is not ready", () => {
  const looked: Status = { ...EMPTY, logs: [LOG] };
  assertEquals(seriesOf(looked).get("hearsay_ready"), "1");
  assertEquals(seriesOf(looked, "state: full").get("hearsay_ready"), "0");
  assertEquals(seriesOf(looked, "state: full").get("hearsay_writable"), "0");
  assertEquals(seriesOf(EMPTY).get("hearsay_ready"), "0");
});

Deno.test("metrics: hearsay_compared is 1 only if there is another monitor to compare with", () => {
  const [peer] = FULL.peers;
  const cases: [Partial<Status>, string][] = [
    [{}, "0"],
    [{ listen: "127.0.0.1:1" }, "1"],
    [{ listen: "127.0.0.1:1", isUncompared: true }, "0"],
    [{ peers: [peer!] }, "1"],
    [{ peers: [{ ...peer!, isSelf: true }], listen: "127.0.0.1:1" }, "0"],
  ];
  for (const [more, value] of cases) {
    assertEquals([more, seriesOf({ ...EMPTY, ...more }).get("hearsay_compared")], [more, value]);
  }
});

Deno.test("metrics: names and units follow Prometheus's conventions", () => {
  for (const { name, type, help, samples } of metricsOf(FULL, undefined)) {
    assertMatch(name, /^hearsay_[a-z]+(_[a-z]+)*$/);
    assert(!/_(total|count|sum|ms|milliseconds|info_info)$/.test(name), name);
    assert(type === "gauge" || !name.endsWith("_seconds"), name);
    assertMatch(help, /^[A-Z].*[^.]$/);
    for (const { labels } of samples) {
      for (const label of Object.keys(labels)) assertMatch(label, /^[a-z]+(_[a-z]+)*$/);
    }
  }
});

Deno.test("metrics: a second sample of the same labels is left out, as a reader refuses the page for it", () => {
  const logs = [{ ...LOG, incidents: 1 }, { ...LOG, incidents: 2 }];
  const text = formatMetrics(metricsOf({ ...EMPTY, logs }, undefined), "text");
  const lines = linesOf(text).filter((line) => line.startsWith("hearsay_log_incidents{"));
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0]!, " 1");
});

Deno.test("metrics: samples are bounded, and how many are left out is told", () => {
  const many = MAX_SAMPLES + 3;
  const peers = Array.from({ length: many }, (_, i) => ({
    ...{ address: `peer.invalid:${i}`, exchanges: 0, failures: 0, matches: 0, conflicts: 0 },
  }));
  const families = metricsOf({ ...EMPTY, peers }, undefined);
  assert(families.every(({ samples }) => samples.length <= MAX_SAMPLES));
  const exchanges = families.find(({ name }) => name === "hearsay_peer_exchanges")!;
  assertEquals(exchanges.samples.length, MAX_SAMPLES);
  // Five families have a sample of each of these peers.
  assertEquals(families.at(-1)!.samples, [{ labels: {}, value: 5 * 3 }]);
  assertEquals(metricsOf(FULL, undefined).at(-1)!.samples, [{ labels: {}, value: 0 }]);
});

Deno.test("metrics: labels are of what is configured and of fixed words", () => {
  const counts = { unchanged: 1, "a result of tomorrow": 2 };
  const logs = [{ ...LOG, vkey: vkeyOf("x"), counts }];
  const told = [...seriesOf({ ...EMPTY, logs }).keys()];
  assertEquals(told.filter((series) => series.includes("tomorrow")), []);
});

/** Accept headers, and the format that each asks for. */
const ACCEPTS: readonly [accept: string | undefined, format: Format][] = [
  [undefined, "text"],
  ["", "text"],
  ["*/*", "text"],
  ["text/plain", "text"],
  ["text/plain;version=0.0.4", "text"],
  ["application/openmetrics-text", "openmetrics"],
  ["application/openmetrics-text; version=1.0.0; charset=utf-8", "openmetrics"],
  ["Application/OpenMetrics-Text; Version=1.0.0", "openmetrics"],
  // A version that is not spoken here.
  ["application/openmetrics-text; version=2.0.0, text/plain;q=0.1", "text"],
  ["application/openmetrics-text;q=0.2, text/plain;q=0.5", "text"],
  ["application/openmetrics-text;q=0.5, text/plain;q=0.2", "openmetrics"],
  ["application/openmetrics-text;q=0, */*;q=0.1", "text"],
  ["application/openmetrics-text;q=x, */*;q=0.1", "text"],
  ["application/*, text/*;q=0.9", "openmetrics"],
  ["image/png", "text"],
  // Prometheus 2.42 and 3.5.
  [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "openmetrics",
  ],
  [
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4," +
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "openmetrics",
  ],
];

for (const [accept, format] of ACCEPTS) {
  Deno.test(`metrics: Accept "${accept}" is answered as ${format}`, async () => {
    assertEquals(preferredFormat(accept), format);
    const headers = { host: "localhost", ...(accept !== undefined && { accept }) };
    const answer = await ask(pageOf(FULL), "/metrics", { headers });
    assertEquals(answer.headers!["content-type"], CONTENT_TYPES[format]);
    assertEquals(answer.headers!.vary, "accept");
    assertEquals(textIn(answer), formatMetrics(metricsOf(FULL, undefined), format));
  });
}

Deno.test("metrics: of ten thousand logs the page is made in parts, and others have a turn between them", async () => {
  const { cosigned: _, ...plain } = LOG;
  const logs = Array.from({ length: MAX_SAMPLES }, (_, i) => ({
    ...{ ...plain, origin: `log.invalid/${i}`, lastResult: "extends" as const, counts: {} },
  }));
  const status = { ...EMPTY, logs };
  let turns = 0;
  const pause = (): Promise<void> => Promise.resolve(void turns++);
  const answer = await ask({ ...pageOf(status), pause }, "/metrics");
  const families = metricsOf(status, undefined);
  // One turn before the first, and one after each family that all logs are in.
  const long = families.filter(({ samples }) => samples.length === MAX_SAMPLES);
  assert(long.length >= 5, `${long.length}`);
  assertEquals(turns, 1 + long.length);
  assertEquals(textIn(answer), formatMetrics(families, "text"));
  // Of the words of a result only so many samples are made, and all are counted.
  const result = families.find(({ name }) => name === "hearsay_log_result")!;
  const words = new Set(result.samples.map(({ labels }) => labels.result)).size;
  assertEquals(families.at(-1)!.samples[0]!.value, (words - 1) * MAX_SAMPLES);
});
