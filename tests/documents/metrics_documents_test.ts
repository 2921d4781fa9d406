/** The alert rules, the dashboard and OPERATING name metrics that there are. */
import { assert, assertEquals } from "@std/assert";
import { parse } from "@std/yaml/parse";
import { metricsOf } from "../../src/web/metrics.ts";
import { shell, testWith } from "../programs.ts";
import { FULL } from "../web/full_status.ts";
import { readDocument } from "./document.ts";

const RULES = new URL("../../documents/prometheus-rules.yml", import.meta.url).pathname;
const RULE_TESTS = new URL("prometheus_rules.yml", import.meta.url).pathname;

/** Every name on the page, and its labels. */
const METRICS = new Map(
  metricsOf(FULL, undefined).map(({ name, type, samples }) => {
    assert(samples.length > 0, `${name} has a sample in the full status`);
    const labels = Object.keys(samples[0]!.labels);
    return [type === "counter" ? `${name}_total` : name, labels];
  }),
);

/** Labels that Prometheus adds. */
const ADDED = ["instance", "job"];

interface Query {
  readonly expr: string;
  /** Texts with placeholders for labels of the result. */
  readonly texts: readonly string[];
}

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly labels: Record<string, string>;
      readonly annotations: Record<string, string>;
    }[];
  }[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly definition?: string }[] };
}

const rules = (parse(readDocument("documents/prometheus-rules.yml")) as Rules).groups
  .flatMap(({ rules }) => rules);
const dashboard = JSON.parse(readDocument("documents/grafana-dashboard.json")) as Dashboard;
const queries: readonly Query[] = [
  ...rules.map(({ expr, annotations }) => ({ expr, texts: Object.values(annotations) })),
  ...dashboard.panels.flatMap(({ targets }) =>
    targets.map(({ expr, legendFormat }) => ({ expr, texts: [legendFormat] }))
  ),
  ...dashboard.templating.list.flatMap(({ definition }) =>
    definition === undefined ? [] : [{ expr: definition, texts: [] }]
  ),
];

function namesIn(text: string): string[] {
  return [...text.matchAll(/\bhearsay_[a-z_]+/g)].map(([name]) => name);
}

Deno.test("metrics documents: every metric and label that a query names exists", () => {
  assert(queries.length > 30, "the queries are where they are looked for");
  for (const { expr, texts } of queries) {
    const names = namesIn(expr);
    assertEquals(names.filter((name) => !METRICS.has(name)), [], expr);
    const labels = new Set([...ADDED, ...names.flatMap((name) => METRICS.get(name)!)]);
    const matched = [...expr.matchAll(/[{,]([a-z_]+)(?:=~?|!=)"/g)].map(([, label]) => label!);
    const shown = texts.flatMap((text) =>
      [...text.matchAll(/\{\{ ?(?:\$labels\.)?([a-z_]+) ?\}\}/g)].map(([, label]) => label!)
    );
    assertEquals([...matched, ...shown].filter((label) => !labels.has(label)), [], expr);
  }
});

Deno.test("metrics documents: the states that queries name are among those on the page", () => {
  const page = metricsOf(FULL, undefined).flatMap(({ samples }) =>
    samples.flatMap(({ labels }) => [labels.result, labels.state])
  );
  const named = queries.flatMap(({ expr }) =>
    [...expr.matchAll(/(?:result|state)(?:=~?|!=)"([^"]+)"/g)].flatMap(([, words]) =>
      words!.split("|")
    )
  );
  assert(named.length > 5);
  assertEquals(named.filter((word) => !page.includes(word)), []);
});

Deno.test("metrics documents: every rule has a severity, says what to do, and accuses nobody", () => {
  assertEquals(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, labels, annotations } of rules) {
    assert(["critical", "warning"].includes(labels.severity!), alert);
    assert(annotations.summary !== undefined && annotations.description !== undefined, alert);
    assert(!/attack|malicious|fraud/i.test(JSON.stringify(annotations)), alert);
  }
  const ids = dashboard.panels.map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
});

Deno.test("metrics documents: OPERATING's table has every metric, and no other", () => {
  const section = readDocument("documents/OPERATING.md").split(/^### /m)
    .find((part) => part.startsWith("Metrics\n"))!;
  const rows = [...section.matchAll(/^\| (`[^|]+) +\|/gm)].flatMap(([, cell]) => namesIn(cell!));
  assertEquals(rows.toSorted(), [...METRICS.keys()].toSorted());
});

await testWith("promtool", "metrics documents: promtool accepts the rules", async () => {
  const { code, said } = await shell('promtool check rules "$1"', { args: [RULES] });
  assertEquals([code, /SUCCESS: \d+ rules found/.test(said)], [0, true], said);
});

await testWith(
  "promtool",
  "metrics documents: promtool sees the rules fire when they should",
  async () => {
    const input = Deno.readTextFileSync(RULE_TESTS).replace("RULES", RULES);
    const line = 'f=$(mktemp); cat > "$f"; promtool test rules "$f"; c=$?; rm "$f"; exit $c';
    const { code, said } = await shell(line, { input });
    assertEquals(code, 0, said);
  },
);
