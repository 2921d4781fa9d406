/**
 * Alerts by mail: the text for a person, and what a machine can check as attachments.
 *
 * @module
 */
import { fileText } from "../tlog/encoding.ts";
import { printable } from "../tlog/malformed.ts";
import { readFully } from "../world/reading.ts";
import type { Address, Attachment, Files, Letter } from "../world/world.ts";
import { type Alert, type AlertLevel, formatAlert } from "./alert.ts";
import { addressOf } from "./allowed_hosts.ts";
import { type Channel, type ChannelWorld, rereading, SEND_MS } from "./channel.ts";

/** Where mail goes, and how. */
export interface MailSettings {
  readonly server: Address;
  readonly tls: Letter["tls"];
  readonly from: string;
  readonly to: readonly string[];
  readonly user?: string;
  /** Path of the file with the password. */
  readonly password?: string;
}

const MAX_PASSWORD_BYTES = 4_096;
const MAX_SUBJECT_CHARACTERS = 200;

/** Makes the channel. */
export function mailChannel(
  { world, name, least, allow, settings }: {
    world: ChannelWorld;
    name: string;
    least: AlertLevel;
    allow: readonly string[];
    settings: MailSettings;
  },
): Channel {
  const { server, tls, from, to, user, password } = settings;
  const { hostname } = server;
  const read = rereading(() => readPassword(world.files, password!));
  return {
    ...{ name, least, description: `mail to ${to.join(", ")} by ${hostname}` },
    leadsTo: to.toSorted().join(", "),
    async send(alert) {
      const login = user !== undefined && password !== undefined
        ? { user, password: await read() }
        : undefined;
      const address = await addressOf(world, { hostname, allow, timeoutMs: SEND_MS });
      await world.mail.send({
        ...{ server, tls, from, to, timeoutMs: SEND_MS },
        ...letterOf(alert),
        ...(address !== undefined && { address }),
        ...(login && { login }),
      });
    },
  };
}

/** The subject, the text and the attachments of an alert. */
export function letterOf(
  alert: Alert,
): Pick<Letter, "subject" | "text" | "attachments" | "id"> {
  const { level, title, text, id, evidence } = alert;
  const record: Attachment[] = evidence?.kind !== "conflict" ? [] : [{
    name: "case.json",
    type: "application/json",
    content: `${JSON.stringify(evidence.record)}\n`,
  }];
  const subject = [...printable(`[${level}] ${title}`)].slice(0, MAX_SUBJECT_CHARACTERS).join("");
  const whole = {
    name: "alert.json",
    type: "application/json",
    content: `${formatAlert(alert)}\n`,
  };
  return { subject, text, attachments: [...record, whole], id: `${id}@hearsay.invalid` };
}

/** Reads a password: the first line of a file. @throws MalformedError, WorldError */
export async function readPassword(files: Files, path: string): Promise<string> {
  const file = await files.open(path, "read");
  try {
    const buffer = new Uint8Array(MAX_PASSWORD_BYTES);
    const text = fileText(buffer.subarray(0, await readFully(file, buffer, 0)));
    return text.split(/\r?\n/)[0]!;
  } finally {
    file.close();
  }
}
