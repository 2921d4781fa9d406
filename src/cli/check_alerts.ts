/**
 * The part of `hearsay config check` that looks at the alerts: the policy, what each channel needs on
 * this machine, and whether it may be sent to. Nothing is sent: that is `hearsay alert test`.
 *
 * @module
 */
import { join } from "@std/path/join";
import type { Settings } from "../monitor/settings.ts";
import { addressOf, refuseByName } from "../response/allowed_hosts.ts";
import { SEND_MS } from "../response/channel.ts";
import { channelsOf } from "../response/channels.ts";
import { readPassword } from "../response/mail.ts";
import { DEFAULT_RULES } from "../response/policy.ts";
import type { ChannelSettings } from "../response/settings.ts";
import { readSecret } from "../response/webhook.ts";
import { printable } from "../tlog/malformed.ts";
import { PATH } from "../world/commands.ts";
import { type World, WorldError } from "../world/world.ts";
import { faultsOfRules } from "./check_alert_policy.ts";
import { type Check, tried, undone, wrong } from "./checking.ts";
import { loadAlertPolicy } from "./run.ts";

/** Checks what the alerts of a configuration need, if there are any. */
export async function checkAlerts(
  { world, settings: { alerts }, isOffline, tell }: {
    world: World;
    settings: Settings;
    isOffline: boolean;
    tell: (check: Check) => void;
  },
): Promise<void> {
  const about = "alerts";
  if (alerts === undefined) {
    return tell({ about, text: 'nobody is alerted: the configuration has no "alerts"' });
  }
  const { policy, channels, allow, heartbeat } = alerts;
  if (policy !== undefined) {
    const work = () => loadAlertPolicy(world, policy);
    const read = await tried({ world, about, what: `the alert policy ${policy}`, work });
    tell("check" in read ? read.check : { about, text: `the alert policy ${policy} can be read` });
    const rules = "done" in read ? read.done ?? [] : undefined;
    for (const fault of rules === undefined ? [] : faultsOfRules(rules, channels)) {
      tell(wrong(about, `the alert policy ${policy}: ${fault}`));
    }
  } else if (channels.length > 0 && faultsOfRules(DEFAULT_RULES, channels).length > 0) {
    tell(wrong(about, "a proven case would be told to nobody: no channel is for EMERGENCY"));
  }
  if (channels.length === 0) {
    tell(wrong(about, "no channel is configured, so nobody is told anything"));
  }
  const described = channelsOf(world, alerts);
  for (const [i, channel] of channels.entries()) {
    const { name, description } = described[i]!;
    const what = `channel ${name} (${description})`;
    const faults = await faultsOf(world, { channel, allow, isOffline, what });
    for (const fault of faults) tell(fault);
    if (faults.length === 0) tell({ about, text: `${what}; 'hearsay alert test' tries it` });
  }
  if (heartbeat === undefined) return;
  const { origin, hostname } = new URL(heartbeat.url);
  const what = `the heartbeat to ${origin}`;
  const fault = await reachFault(world, { hostname, allow, what, isOffline });
  tell(fault ?? { about, text: `${what}, every ${heartbeat.everyMs / 1_000} s` });
}

interface Place {
  readonly allow: readonly string[];
  readonly what: string;
}

async function faultsOf(
  world: World,
  { channel, allow, isOffline, what }: Place & { channel: ChannelSettings; isOffline: boolean },
): Promise<Check[]> {
  const about = "alerts";
  const faults: Check[] = [];
  const secret = secretOf(channel, world);
  if (secret !== undefined) {
    const read = await tried({ world, about, what, work: secret });
    if ("check" in read) faults.push(read.check);
  }
  if (channel.kind === "command") {
    const [program] = channel.argv as [string];
    if (!await isProgram(world, program)) {
      faults.push(wrong(about, printable(`${what}: there is no program ${program}`)));
    }
  }
  const hostname = hostOf(channel);
  if (hostname === undefined) return faults;
  const fault = await reachFault(world, { hostname, allow, what, isOffline });
  return fault === undefined ? faults : [...faults, fault];
}

/** Reads the file with the secret of a channel; nothing if it has none. */
function secretOf(
  channel: ChannelSettings,
  { files }: World,
): (() => Promise<unknown>) | undefined {
  if (channel.kind === "webhook") return () => readSecret(files, channel.webhook.secret);
  const password = channel.kind === "mail" ? channel.mail.password : undefined;
  return password === undefined ? undefined : () => readPassword(files, password);
}

function hostOf(channel: ChannelSettings): string | undefined {
  switch (channel.kind) {
    case "webhook":
      return new URL(channel.webhook.url).hostname;
    case "mail":
      return channel.mail.server.hostname;
    case "syslog":
      return channel.server.hostname;
    case "command":
      return undefined;
  }
}

/** Whether there is a file where a program is looked for. Whether it may be run is not looked at. */
async function isProgram({ files }: World, program: string): Promise<boolean> {
  const places = program.includes("/")
    ? [program]
    : PATH.split(":").map((folder) => join(folder, program));
  for (const place of places) {
    try {
      if (await files.kindOf(place) === "file") return true;
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
    }
  }
  return false;
}

async function reachFault(
  world: World,
  { hostname, allow, what, isOffline }: Place & { hostname: string; isOffline: boolean },
): Promise<Check | undefined> {
  try {
    // What the name itself says is known without asking anybody.
    refuseByName({ hostname, allow });
    if (isOffline) return undefined;
    await addressOf(world, { hostname, allow, timeoutMs: SEND_MS });
    return undefined;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const text = printable(`${what}: ${error.message}`);
    return error.kind === "not permitted" ? wrong("alerts", text) : undone("alerts", text);
  }
}
