/**
 * A webhook, by the Standard Webhooks specification 1.0 (standardwebhooks.com): the alert's JSON is
 * posted with three headers. `webhook-id` is the alert's id, the same at each try. `webhook-timestamp`
 * is the time of the try, in seconds. `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over
 * `ID.TIMESTAMP.BODY` under the secret that both ends share.
 *
 * @module
 */
import { base64, fileText, strictBase64, utf8 } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { hmacSha256 } from "../world/hmac.ts";
import { SOFTWARE } from "../world/version.ts";
import { type Files, WorldError } from "../world/world.ts";
import { readFully } from "../world/reading.ts";
import { type Alert, type AlertLevel, formatAlert } from "./alert.ts";
import { addressOf } from "./allowed_hosts.ts";
import { AlertRefused, type Channel, type ChannelWorld, rereading, SEND_MS } from "./channel.ts";

/** What a secret begins with, by the specification. It may be left out. */
const SECRET_PREFIX = "whsec_";
/** The specification asks for 24 to 64 bytes. */
const [MIN_SECRET_BYTES, MAX_SECRET_BYTES] = [24, 64];
const MAX_SECRET_FILE_BYTES = 4_096;
/** What the receiver answers is not read further than this. */
const MAX_ANSWER_BYTES = 64 * 1024;
const SECOND_MS = 1_000;
/** Statuses that say: not this, whenever it comes. A 404 or a 401 may be a mistake in setting up. */
const REFUSALS: readonly number[] = [400, 413, 415, 422];

/** Where a webhook leads. */
export interface WebhookSettings {
  readonly url: string;
  /** Path of the file with the secret. */
  readonly secret: string;
}

/** Makes the channel. */
export function webhookChannel(
  { world, name, least, allow, settings }: {
    world: ChannelWorld;
    name: string;
    least: AlertLevel;
    allow: readonly string[];
    settings: WebhookSettings;
  },
): Channel {
  const { url, secret } = settings;
  const readKey = rereading(() => readSecret(world.files, secret));
  return {
    ...{ name, least, description: `webhook ${new URL(url).origin}` },
    leadsTo: url,
    async send(alert) {
      const key = await readKey();
      const { protocol, hostname } = new URL(url);
      const address = await addressOf(world, { hostname, allow, timeoutMs: SEND_MS });
      const { headers, content } = signedRequest(alert, { key, now: world.clock.now() });
      const status = await post(world, {
        ...{ url, headers, content },
        // Over TLS a certificate says who is there: a host of this network has none for that name.
        ...(address !== undefined && protocol === "http:" && { address }),
      });
      if (status >= 200 && status < 300) return;
      const what = `the receiver answered with status ${status}`;
      if (status >= 300 && status < 400) {
        throw new WorldError("other", `${what}: redirects are not followed`);
      }
      if (REFUSALS.includes(status)) throw new AlertRefused(what);
      throw new WorldError("other", what);
    },
  };
}

/** The headers and the content of a webhook. */
export function signedRequest(
  alert: Alert,
  { key, now }: { key: Uint8Array; now: Date },
): { headers: Record<string, string>; content: Uint8Array<ArrayBuffer> } {
  const body = formatAlert(alert);
  const timestamp = `${Math.floor(now.getTime() / SECOND_MS)}`;
  const signature = hmacSha256(key, utf8(`${alert.id}.${timestamp}.${body}`));
  return {
    headers: {
      "content-type": "application/json",
      "user-agent": SOFTWARE,
      "webhook-id": alert.id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${base64(signature)}`,
    },
    content: utf8(body),
  };
}

/** Posts; gives the status. */
async function post(
  { http }: ChannelWorld,
  request: {
    url: string;
    headers: Record<string, string>;
    content: Uint8Array<ArrayBuffer>;
    address?: string;
  },
): Promise<number> {
  try {
    const answer = await http.request({
      ...request,
      ...{ timeoutMs: SEND_MS, maxBytes: MAX_ANSWER_BYTES },
    });
    return answer.status;
  } catch (error) {
    // Only the content of a 200 is read. So the alert was taken.
    if (error instanceof WorldError && error.kind === "too large") return 200;
    throw error;
  }
}

/**
 * Reads the secret that both ends share: base64 of 24 to 64 bytes, with or without `whsec_`.
 * @throws MalformedError, WorldError
 */
export async function readSecret(files: Files, path: string): Promise<Uint8Array> {
  const file = await files.open(path, "read");
  try {
    const buffer = new Uint8Array(MAX_SECRET_FILE_BYTES);
    const text = fileText(buffer.subarray(0, await readFully(file, buffer, 0))).trim();
    const key = strictBase64(text.startsWith(SECRET_PREFIX) ? text.slice(6) : text);
    if (key.length >= MIN_SECRET_BYTES && key.length <= MAX_SECRET_BYTES) return key;
    throw new MalformedError(`it has ${key.length} bytes`);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    // What is in the file is a secret, so no message repeats it.
    throw new MalformedError(
      `${quoted(path)} holds no secret of a webhook: expected base64 of ${MIN_SECRET_BYTES} to ` +
        `${MAX_SECRET_BYTES} bytes, such as: openssl rand -base64 32`,
    );
  } finally {
    file.close();
  }
}
