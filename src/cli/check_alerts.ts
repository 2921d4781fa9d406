/**
 * The part of `hearsay config check` that looks at the alerts: the policy, what each channel needs on
 * this machine, and whether it may be sent to. Nothing is sent: that is `hearsay alert test`.
 *
 * @module
 */
import type { Settings } from "../monitor/settings.ts";
import { addressOf } from "../response/allowed_hosts.ts";
import { SEND_MS } from "../response/channel.ts";
import { channelsOf } from "../response/channels.ts";
import { readPassword } from "../response/mail.ts";
import type { ChannelSettings } from "../response/settings.ts";
import { readSecret } from "../response/webhook.ts";
import { printable } from "../tlog/malformed.ts";
import { type World, WorldError } from "../world/world.ts";
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
  if (alerts === undefined) return;
  const about = "alerts";
  const { policy, channels, allow, heartbeat } = alerts;
  if (policy !== undefined) {
    const work = () => loadAlertPolicy(world, policy);
    const read = await tried({ world, about, what: `the alert policy ${policy}`, work });
    tell("check" in read ? read.check : { about, text: `the alert policy ${policy} can be read` });
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
  const fault = isOffline ? undefined : await reachFault(world, { hostname, allow, what });
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
  const hostname = hostOf(channel);
  if (hostname === undefined || isOffline) return faults;
  const fault = await reachFault(world, { hostname, allow, what });
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

async function reachFault(
  world: World,
  { hostname, allow, what }: Place & { hostname: string },
): Promise<Check | undefined> {
  try {
    await addressOf(world, { hostname, allow, timeoutMs: SEND_MS });
    return undefined;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const text = printable(`${what}: ${error.message}`);
    return error.kind === "not permitted" ? wrong("alerts", text) : undone("alerts", text);
  }
}
