/**
 * The text in which Prometheus reads metrics, in its two spellings: text format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats) and OpenMetrics 1.0.0
 * (prometheus.io/docs/specs/om/open_metrics_spec).
 *
 * @module
 */

/** A family of samples that have one name and one meaning. */
export interface Family {
  /** Without `_total`, also for a counter: it is added where it belongs. */
  readonly name: string;
  readonly type: "gauge" | "counter";
  /** A sentence, without its full stop. */
  readonly help: string;
  readonly samples: readonly Sample[];
  /** How many more there would be, which were not even made. */
  readonly more?: number;
}

/** One value, with the labels that tell it from others of its family. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Which spelling. */
export type Format = "text" | "openmetrics";

/** The content type of each spelling. */
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/**
 * The page of these families. A second sample with the same labels is left out: a reader would refuse
 * the whole page for it.
 */
export function formatMetrics(families: readonly Family[], format: Format): string {
  return [...partsOfMetrics(families, format)].join("");
}

/** The same page in parts, one for each family, so that others can have a turn between them. */
export function* partsOfMetrics(families: Iterable<Family>, format: Format): Generator<string> {
  const isOpen = format === "openmetrics";
  // The families of ten thousand logs share their labels.
  const known = new WeakMap<Sample["labels"], string>();
  for (const { name, type, help, samples } of families) {
    const full = type === "counter" ? `${name}_total` : name;
    const named = isOpen ? name : full;
    const lines = new Map<string, string>();
    for (const { labels, value } of samples) {
      let text = known.get(labels);
      if (text === undefined) known.set(labels, text = formatLabels(labels));
      if (!lines.has(text)) lines.set(text, `${full}${text} ${formatValue(value)}\n`);
    }
    const head = `# HELP ${named} ${escapeHelp(help, format)}\n# TYPE ${named} ${type}\n`;
    yield head + [...lines.values()].join("");
  }
  if (isOpen) yield "# EOF\n";
}

/** Both formats: backslash, quotation mark and line feed are escaped, and nothing else. */
function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** OpenMetrics escapes quotation marks here too. */
function escapeHelp(text: string, format: Format): string {
  if (format === "openmetrics") return escape(text);
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return `${value}`;
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/**
 * The spelling that a reader likes best of the two, by its Accept header (RFC 9110, section 12.5.1);
 * text if it likes them alike, or neither: a reader that says nothing useful is better served with
 * something than with nothing.
 */
export function preferredFormat(accept: string | undefined): Format {
  const ranges = (accept ?? "").split(",").map((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const said = (name: string): string | undefined =>
      parameters.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
    const q = Number(said("q") ?? 1);
    return { type, version: said("version"), q: q >= 0 && q <= 1 ? q : 0 };
  });
  const liked = (wanted: string, version: string): number => {
    const [group] = wanted.split("/");
    const fits = (type: string): number =>
      Math.max(
        0,
        ...ranges.filter((range) =>
          range.type === type && [undefined, version].includes(range.version)
        ).map(({ q }) => q),
      );
    const isNamed = ranges.some(({ type }) => type === wanted);
    return isNamed ? fits(wanted) : Math.max(fits(`${group}/*`), fits("*/*"));
  };
  const open = liked("application/openmetrics-text", "1.0.0");
  return open > liked("text/plain", "0.0.4") ? "openmetrics" : "text";
}
