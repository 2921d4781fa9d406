/**
 * The section of the configuration about alerts.
 *
 * @module
 */
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { oneOf, unexpected } from "../tlog/members.ts";
import type { Given, Section } from "../world/jsonc.ts";
import { placeBeside, readAddress, readDuration, readText } from "../world/setting_values.ts";
import type { Address, Letter } from "../world/world.ts";
import { ALERT_LEVELS, type AlertLevel } from "./alert.ts";
import type { MailSettings } from "./mail.ts";
import type { WebhookSettings } from "./webhook.ts";

/** One channel. */
export type ChannelSettings =
  & { readonly name: string; readonly least: AlertLevel }
  & (
    | { readonly kind: "webhook"; readonly webhook: WebhookSettings }
    | { readonly kind: "mail"; readonly mail: MailSettings }
    | { readonly kind: "command"; readonly argv: readonly string[] }
    | { readonly kind: "syslog"; readonly server: Address }
  );

/** The kinds of channels, as a configuration names them. */
export const CHANNEL_KINDS = ["webhook", "mail", "command", "syslog"] as const;

/** A URL that is asked for as long as the monitor watches. */
export interface HeartbeatSettings {
  readonly url: string;
  readonly everyMs: number;
}

/** What is told to whom. */
export interface AlertSettings {
  /** Path of the policy; without one the default holds. */
  readonly policy?: string;
  readonly channels: readonly ChannelSettings[];
  /** Hosts that may be on this machine or its network. */
  readonly allow: readonly string[];
  readonly heartbeat?: HeartbeatSettings;
}

/** Whether a program of this machine is run for an alert. */
export function runsPrograms(settings: AlertSettings | undefined): boolean {
  return settings?.channels.some(({ kind }) => kind === "command") === true;
}

/** Most channels, and most of what one of their lists may have. */
const MAX_ITEMS = 32;
const DEFAULT_LEAST = "INFO";
const DEFAULT_HEARTBEAT = "5m";
const TLS: readonly Letter["tls"][] = ["on connect", "starttls", "none"];
/** The port at which TLS begins with the connection (RFC 8314 section 3.3). */
const TLS_PORT = 465;

/** Reads `alerts`; nothing if the configuration has none. */
export const alertsSection: Section<AlertSettings | undefined> = (given) => {
  if (!given.isThere) return undefined;
  const known = ["policy", "channels", "allow", "heartbeat"];
  const members = given.members({ what: "alerts", known });
  if (members === undefined) return undefined;
  const policy = members.get("policy").maybe(pathIn(given));
  const channels = members.get("channels").items({ most: MAX_ITEMS })
    .flatMap((item) => readChannel(item) ?? []);
  refuseSameNames(channels, members.get("channels"));
  const allow = members.get("allow").items({ most: MAX_ITEMS })
    .flatMap((item) => item.read(readText) ?? []);
  const heartbeat = readHeartbeat(members.get("heartbeat"));
  return {
    ...{ channels, allow },
    ...(policy !== undefined && { policy }),
    ...(heartbeat !== undefined && { heartbeat }),
  };
};

function pathIn({ file }: Given): (value: unknown, name: string) => string {
  return (value, name) => placeBeside(file.path, readText(value, name));
}

function readChannel(given: Given): ChannelSettings | undefined {
  const known = ["name", "least", ...CHANNEL_KINDS, "secret"];
  const members = given.members({ what: "a channel", known });
  if (members === undefined) return undefined;
  const kinds = CHANNEL_KINDS.filter((kind) => members.get(kind).isThere);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const came = kinds.length === 0 ? "none" : kinds.join(" and ");
    given.fail(`a channel has ${came}, expected one of ${CHANNEL_KINDS.join(", ")}`);
    return undefined;
  }
  const name = members.get("name").read(readChannelName, kind);
  const least = members.get("least").read(readLevel, DEFAULT_LEAST);
  if (!name || !least) return undefined;
  const common = { name, least };
  if (kind !== "webhook" && members.get("secret").isThere) {
    members.get("secret").fail("only a webhook has a secret");
  }
  switch (kind) {
    case "webhook": {
      const url = members.get("webhook").read(readUrl);
      const secret = members.get("secret").read(pathIn(given));
      return url && secret ? { ...common, kind, webhook: { url, secret } } : undefined;
    }
    case "mail": {
      const mail = readMail(members.get("mail"));
      return mail && { ...common, kind, mail };
    }
    case "command": {
      const argv = members.get("command").items({ least: 1, most: MAX_ITEMS })
        .flatMap((item) => item.read(readArgument) ?? []);
      return argv.length > 0 ? { ...common, kind, argv } : undefined;
    }
    case "syslog": {
      const server = members.get("syslog").read(readAddress);
      return server && { ...common, kind, server };
    }
  }
}

function readMail(given: Given): MailSettings | undefined {
  const known = ["server", "tls", "from", "to", "user", "password"];
  const members = given.members({ what: "mail", known });
  if (members === undefined) return undefined;
  const server = members.get("server").read(readAddress);
  const from = members.get("from").read(readMailAddress);
  const to = members.get("to").items({ least: 1, most: MAX_ITEMS })
    .flatMap((item) => item.read(readMailAddress) ?? []);
  const usual = server?.port === TLS_PORT ? "on connect" : "starttls";
  const tls = members.get("tls").read(readTls, usual);
  const user = members.get("user").maybe(readText);
  const password = members.get("password").maybe(pathIn(given));
  if ((user === undefined) !== (password === undefined)) {
    given.fail("mail has one of user and password, expected both or none");
  }
  if (tls === "none" && password !== undefined) {
    given.fail('mail has a password and "tls": "none": it would be sent in the clear');
  }
  if (!server || !from || to.length === 0 || !tls) return undefined;
  return { server, from, to, tls, ...(user && { user }), ...(password && { password }) };
}

function readHeartbeat(given: Given): HeartbeatSettings | undefined {
  if (!given.isThere) return undefined;
  const members = given.members({ what: "the heartbeat", known: ["url", "every"] });
  const url = members?.get("url").read(readUrl);
  const everyMs = members?.get("every").read(readDuration, DEFAULT_HEARTBEAT);
  return url && everyMs ? { url, everyMs } : undefined;
}

function refuseSameNames(channels: readonly ChannelSettings[], given: Given): void {
  const names = channels.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return;
  given.fail(`two channels are called ${quoted(twice)}: give each a "name" of its own`);
}

/** A URL of http or https, without user and password. @throws MalformedError for anything else */
function readUrl(value: unknown, name: string): string {
  const url = URL.parse(readText(value, name));
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  const hasUser = isWeb && (url.username !== "" || url.password !== "");
  if (isWeb && !hasUser) return url.href;
  // It may hold a token, which messages must not repeat.
  const is = url === null
    ? "no URL"
    : hasUser
    ? "a URL with a user or a password in it"
    : `a URL of ${quoted(url.protocol.slice(0, -1))}`;
  const wanted = "a URL of https or http, without a password in it";
  throw new MalformedError(`${name} is ${is}, expected ${wanted}`);
}

function readChannelName(value: unknown, name: string): string {
  const text = readText(value, name);
  if (/^[a-z0-9][a-z0-9_-]{0,31}$/.test(text)) return text;
  throw unexpected(value, { name, wanted: "up to 32 of a-z, 0-9, - and _" });
}

/** An address without a name, so that nothing of it can become another header. */
function readMailAddress(value: unknown, name: string): string {
  const text = readText(value, name);
  if (/^[^\s<>,;:"()[\]\\@]{1,64}@[A-Za-z0-9.-]{1,253}$/.test(text)) return text;
  throw unexpected(value, { name, wanted: "a mail address, such as alerts@example.com" });
}

function readArgument(value: unknown, name: string): string {
  if (typeof value === "string" && !value.includes("\0")) return value;
  throw unexpected(value, { name, wanted: "a text" });
}

function readLevel(value: unknown, name: string): AlertLevel {
  oneOf(ALERT_LEVELS)(value, name);
  return value as AlertLevel;
}

function readTls(value: unknown, name: string): Letter["tls"] {
  oneOf(TLS)(value, name);
  return value as Letter["tls"];
}
