import type { Settings } from "../monitor/settings.ts";
import { aboutCase } from "../monitor/event_about.ts";
import { type Alert, ALERT_VERSION, makeAlert, parseAlert } from "../response/alert.ts";
import { verifyEvidence } from "../response/alert_evidence.ts";
import { AlertRefused, type Channel } from "../response/channel.ts";
import { channelsOf } from "../response/channels.ts";
import { DEFAULT_RULES, type EventFacts, type Rule, ruleFor } from "../response/policy.ts";
import { trialWords } from "../response/words.ts";
import { parseExactJson } from "../evidence/json.ts";
import { parseRecord } from "../evidence/record.ts";
import { fileText } from "../tlog/encoding.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { timeNow } from "../world/time.ts";
import { WorldError } from "../world/world.ts";
import {
  type Command,
  EXIT,
  type ExitCode,
  type Options,
  readOptions,
  type Tools,
  UsageError,
} from "./command.ts";
import { wordsOfAlert } from "./alert_words.ts";
import { askDaemon, controlAddress, readAnswer } from "./control.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { readInput } from "./inputs.ts";
import { parseObeyed } from "./parse_status.ts";
import { PASSPHRASE_FILE, passphraseHelp, Passphrases } from "./passphrase.ts";
import { loadAlertPolicy, loadIdentity, readSettings } from "./run.ts";

/** How long it is waited for the daemon's port. */
const CONNECT_MS = 2_000;
/** The longest event that is read: one may have a whole record. */
const MAX_EVENT_BYTES = 4 * 1024 * 1024;

/** `hearsay alert`: what would be told, and whether it gets there. */
export const alert: Command = {
  name: "alert",
  summary: "say what an event would alert, or send a trial through every channel",
  help: `hearsay alert eval EVENT.json|- [--policy FILE] [--json]
hearsay alert test [--config FILE] [--key FILE] [--passphrase-file FILE] [--json]

'eval' reads an event, one line of 'hearsay run --json', and says which rule of the alert policy
decides about it: the level, what is done, and after how long. Nothing is sent. It reads an alert as
well, as a webhook or a command gets it, and says what its evidence proves, checked just now.

'test' sends a trial through every channel of a configuration, and says which of them took it. The
trial says that nothing happened. It goes past the queue of a daemon that runs. Then the running daemon
is told which channels work: what waits for them is sent now, and a channel that it had given up after
a day of failure is used again. It is asked at its "listen" address, with its own key.

Ends with 0 if all is well; with 2 if the event, the policy or the configuration is wrong, or has no
channels, or if the evidence of an alert does not hold; with 3 if a channel did not take the trial.

  --policy FILE  the alert policy (default: the one built in)
  --config FILE  the configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --key FILE     the monitor's key, if it is not where the configuration says
${passphraseHelp(17)}
  --json         one JSON object

Example:
  hearsay alert test --config /etc/hearsay/hearsay.jsonc
`,
  run(args, tools) {
    const [what, ...rest] = args;
    switch (what) {
      case "eval":
        return evaluate(rest, tools);
      case "test":
        return test(rest, tools);
      default:
        throw new UsageError(
          `expected eval or test; came: ${what === undefined ? "nothing" : quoted(what)}`,
        );
    }
  },
};

async function evaluate(args: readonly string[], { world, terminal }: Tools): Promise<ExitCode> {
  const options = readOptions(args, {
    ...{ values: ["policy"], flags: ["json"], operands: ["EVENT.json"] },
  });
  const [path] = options.operands as [string];
  const rules = await loadAlertPolicy(world, options.value("policy")) ?? DEFAULT_RULES;
  const bytes = path === "-"
    ? await standardInput(terminal)
    : await readInput({ world, path, maxBytes: MAX_EVENT_BYTES });
  const text = within(quoted(path), () => fileText(bytes));
  const isAlert = within(quoted(path), () => parseExactJson(text.trim())).version === ALERT_VERSION;
  if (isAlert) {
    return tellAlert(within(quoted(path), () => parseAlert(text.trim())), { options, terminal });
  }
  const facts = within(quoted(path), () => factsOf(text));
  const rule = ruleFor(rules, facts);
  const { level = "INFO", action = "none", afterMs = 0, line } = rule ?? {};
  if (options.flag("json")) {
    const told = { ...facts, level, action, afterSeconds: afterMs / 1_000, line };
    terminal.out(printableJson(JSON.stringify(told)));
    return EXIT.ok;
  }
  for (const one of wordsOf(facts, rule, options.value("policy"))) terminal.out(printable(one));
  return EXIT.ok;
}

/** Says what an alert is, and what its evidence proves. */
function tellAlert(
  alert: Alert,
  { options, terminal }: { options: Options; terminal: Tools["terminal"] },
): ExitCode {
  const fault = alert.evidence && verifyEvidence(alert.evidence);
  if (options.flag("json")) {
    const { level, action, state, subject, evidence } = alert;
    const holds = evidence === undefined ? {} : { holds: fault === undefined };
    const told = { level, action, state, subject, evidence, ...holds, fault };
    terminal.out(printableJson(JSON.stringify(told)));
  } else {
    for (const one of wordsOfAlert(alert)) terminal.out(printable(one));
  }
  return fault === undefined ? EXIT.ok : EXIT.usage;
}

/** What a person is told about a rule. */
function wordsOf(facts: EventFacts, rule: Rule | undefined, policy: string | undefined): string[] {
  const { event, told, subject } = facts;
  const about = subject === "" ? "" : ` about ${subject}`;
  const first = `${event}, told as ${told}${about}:`;
  if (rule === undefined) return [first, "  no rule matches, so no alert is made"];
  const which = rule.line === undefined || policy === undefined
    ? `the built-in rule for ${quoted(rule.event)}`
    : `${policy}:${rule.line}, the rule for ${quoted(rule.event)}`;
  if (rule.action === "none") return [first, `  no alert is made, by ${which}`];
  const after = rule.afterMs === 0 ? "at once" : `once it has lasted ${rule.afterMs / 1_000} s`;
  return [first, `  an alert at level ${rule.level}, ${rule.action}, ${after}, by ${which}`];
}

/** What of an event the rules look at. @throws MalformedError if it is no event */
function factsOf(text: string): EventFacts {
  const { event, level, record, ...fields } = parseExactJson(text.trim());
  if (typeof event !== "string" || typeof level !== "string") {
    throw new MalformedError('expected an event, with "event" and "level"');
  }
  const subject = ["origin", "source", "member", "channel"].map((name) => fields[name])
    .find((value) => typeof value === "string") as string | undefined ?? "";
  const { isOfMonitor, isOfWitness } = record === undefined
    ? {
      isOfMonitor: /\/statements\/\d+$/.test(subject),
      isOfWitness: fields.kind === "same_size_cosigned",
    }
    : aboutCase(parseRecord(JSON.stringify(record)));
  const about = isOfWitness ? "witness" : isOfMonitor ? "monitor" : "log";
  return { event, told: level.toLowerCase(), subject, about };
}

async function standardInput(terminal: Tools["terminal"]): Promise<Uint8Array> {
  const parts: number[] = [];
  const buffer = new Uint8Array(64 * 1024);
  for (let count; (count = await terminal.read(buffer)) > 0;) {
    if (parts.length + count > MAX_EVENT_BYTES) throw new MalformedError("the event is too long");
    for (const byte of buffer.subarray(0, count)) parts.push(byte);
  }
  return new Uint8Array(parts);
}

async function test(args: readonly string[], { world, terminal }: Tools): Promise<ExitCode> {
  const values = ["config", "key", PASSPHRASE_FILE];
  const options = readOptions(args, { values, flags: ["json"] });
  const path = await findConfig(world, options.value("config"));
  const settings = await readSettings(world, path);
  const { name: monitor, alerts } = settings;
  const channels = alerts === undefined ? [] : channelsOf(world, alerts);
  if (channels.length === 0) {
    throw new MalformedError(`${quoted(path)} has no channels of alerts: see OPERATING, "Alerts"`);
  }
  await loadAlertPolicy(world, alerts!.policy);
  const at = timeNow(world.clock);
  const trial = makeAlert({
    ...{ case: "trial", level: "INFO", action: "alert", state: "begins", subject: monitor },
    ...{ monitor, at, since: at, count: 1, ...trialWords(monitor) },
  }, 1);
  const sent = await Promise.all(
    channels.map(async (channel) => ({ channel, fault: await faultOf(channel, trial) })),
  );
  const arrived = sent.filter(({ fault }) => fault === undefined)
    .map(({ channel: { name } }) => name);
  const passphrases = new Passphrases({ world, terminal, options });
  const key = options.value("key") ?? settings.key;
  const told = await tellDaemon({ world, settings: { ...settings, key }, passphrases, arrived });
  if (options.flag("json")) {
    const channels = sent.map(({ channel: { name, description }, fault }) => ({
      ...{ name, description, ok: fault === undefined },
      ...(fault !== undefined && { fault }),
    }));
    const exit = { version: ALERT_VERSION, id: trial.id, channels, ...told };
    terminal.out(printableJson(JSON.stringify(exit)));
  } else {
    for (const { channel: { name, description }, fault } of sent) {
      const sign = fault === undefined ? terminal.paint("green", "✓") : terminal.paint("red", "!");
      const how = fault === undefined ? "took the trial" : `did not take the trial: ${fault}`;
      terminal.out(`${sign} ${printable(`${name} (${description}) ${how}`)}`);
    }
    for (const name of told.usedAgain ?? []) {
      terminal.out(
        printable(`The running daemon had given up channel ${name}, and uses it again.`),
      );
    }
    if (told.notTold !== undefined) {
      terminal.err(printable(`! The running daemon was not told: ${told.notTold}.`));
      terminal.err("If it has given a channel up, reload it: systemctl reload hearsay (SIGHUP).");
    }
  }
  return sent.every(({ fault }) => fault === undefined) ? EXIT.ok : EXIT.failed;
}

/** What the running daemon was told of the trial. */
interface DaemonTold {
  /** The channels that it had given up, and uses again. */
  readonly usedAgain?: readonly string[];
  /** Why it could not be told, if one runs. */
  readonly notTold?: string;
}

/**
 * Tells the running daemon which channels work. If none runs, there is nothing to tell: at its start a
 * daemon tries all channels anew.
 */
async function tellDaemon({ world, settings, passphrases, arrived }: {
  world: Tools["world"];
  settings: Settings;
  passphrases: Passphrases;
  arrived: readonly string[];
}): Promise<DaemonTold> {
  if (arrived.length === 0 || !await isSomebodyThere(world, settings)) return {};
  try {
    const signer = await loadIdentity(world, settings, { passphrases });
    const answer = await askDaemon({ world, settings, signer }, {
      ...{ do: "channels", channels: arrived },
    });
    const obeyed = readAnswer(() => parseObeyed(answer));
    return { usedAgain: "done" in obeyed ? obeyed.channels ?? [] : [] };
  } catch (error) {
    const isExpected = [WorldError, MalformedError, UsageError]
      .some((kind) => error instanceof kind);
    if (!isExpected) throw error;
    return { notTold: (error as Error).message };
  }
}

/** Whether somebody answers where the daemon would. */
async function isSomebodyThere(world: Tools["world"], settings: Settings): Promise<boolean> {
  try {
    const connection = await world.network.connect(controlAddress(settings), CONNECT_MS);
    connection.close();
    return true;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return false;
  }
}

/** Sends the trial. Gives why it was not taken. */
async function faultOf(channel: Channel, trial: Alert): Promise<string | undefined> {
  try {
    await channel.send(trial);
    return undefined;
  } catch (error) {
    const isExpected = [WorldError, AlertRefused, MalformedError]
      .some((kind) => error instanceof kind);
    if (!isExpected) throw error;
    return (error as Error).message;
  }
}
