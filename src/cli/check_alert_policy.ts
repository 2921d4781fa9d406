/**
 * What `hearsay config check` looks for in an alert policy: a rule that can match nothing, and a proven
 * case that nobody would be told of.
 *
 * @module
 */
import { EVENT_NAMES } from "../monitor/event_names.ts";
import { type AlertLevel, isAtLeast } from "../response/alert.ts";
import { matchesName, type Rule, ruleFor } from "../response/policy.ts";
import { quoted } from "../tlog/malformed.ts";

/** The events of a proven case: each tells it in another state of the disk. */
const PROVEN = ["incident.recorded", "incident.not written"];

/** One sentence for each fault. @param channels all of them, if there are any */
export function faultsOfRules(
  rules: readonly Rule[],
  channels: readonly { readonly least: AlertLevel }[],
): string[] {
  const useless = rules.filter(({ event }) => !EVENT_NAMES.some((one) => matchesName(event, one)))
    .map(({ event, line }) =>
      `line ${line}: there is no event ${quoted(event)}, so this rule matches nothing`
    );
  const untold = PROVEN.filter((event) => !isTold({ rules, channels, event }))
    .map((event) =>
      `a proven case about a log would be told to nobody: no rule makes an alert of ${event} for ` +
      "which there is a channel"
    );
  return [...useless, ...untold];
}

function isTold({ rules, channels, event }: {
  rules: readonly Rule[];
  channels: readonly { readonly least: AlertLevel }[];
  event: string;
}): boolean {
  // Of some log: a rule about one subject may keep that one quiet.
  const rule = ruleFor(rules, { event, told: "error", subject: "", about: "log" });
  if (rule === undefined || rule.action === "none") return false;
  return channels.length === 0 || channels.some(({ least }) => isAtLeast(rule.level, least));
}
