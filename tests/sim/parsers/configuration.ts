/**
 * The parsers of files and options that an operator writes: the configuration, its values, and
 * private keys.
 *
 * @module
 */
import { KINDS } from "../../../src/gossip/kinds.ts";
import fc from "fast-check";
import { MAX_CONFIG_BYTES, parseConfig } from "../../../src/cli/config.ts";
import { isFolder, openSource } from "../../../src/sources/open.ts";
import { MalformedError } from "../../../src/tlog/malformed.ts";
import { formatAddress, parseAddress } from "../../../src/world/address.ts";
import { denoWorld } from "../../../src/world/deno.ts";
import { readSchedule } from "../../../src/world/schedule.ts";
import { readDuration } from "../../../src/world/setting_values.ts";
import { generateSigner, loadSigner } from "../../../src/world/signer.ts";
import { texts } from "./inputs.ts";
import { insist, type Outcome, parser, type ParserUnderTest } from "./parser.ts";
import { seededWorld, type Stage } from "./stage.ts";

/** Parsers of files and options that an operator writes. */
export function configuration(stage: Stage): ParserUnderTest[] {
  return [configuring(stage), ...smallTexts(stage), privateKeys(stage)];
}

/** Longest refusal of a configuration: a line for each of 100 errors. */
const MAX_REFUSAL_CHARACTERS = 200_000;

function configuring(stage: Stage): ParserUnderTest {
  const world = denoWorld();
  const { vkey } = stage.hand;
  // A short name, so that a message that is cut short still has room for the secret.
  const { privateKey } = stage.shortNamed;
  const secret = privateKey.split("+").slice(4).join("+").slice(0, 16);
  const keyStart = privateKey.slice(0, privateKey.indexOf(secret) + secret.length);
  const log = `{ "vkey": "${vkey.text}", "source": "sumdb+https://log.invalid", "poll": "30s" }`;
  const samples = [
    `{ "name": "monitor.invalid/one", "logs": [${log}] }`,
    `// A comment
{
  "name": "monitor.invalid/one", /* another */
  "key": "/keys/k", "state": "s", "incidents": "i", "listen": "[::1]:9900",
  "http": "127.0.0.1:0", "httpGossip": true, "contact": "ops@monitor.invalid",
  "logs": [{ "vkey": "${vkey.text}", "origin": "another", "source": "folder", "patience": "2h",
              "retired": true, "replaces": "${vkey.text} before" },],
  "peers": [{ "address": "a.invalid:1" }, { "address": "b.invalid:1", "vkey": "${vkey.text}" }],
  "gossip": { "interval": "7m", "fanOut": 5 },
  "limits": { "connectMs": 11, "maxPeersRemembered": 12 },
}
`,
  ];
  // A private key that stands here by mistake is refused, and the message does not show it.
  const mistakes = [
    `{ "name": "monitor.invalid/one", "key": "${privateKey}", "logs": [${log}] }`,
    `{ "name": "${privateKey}", "contact": "(${privateKey})", "logs": ["${privateKey}"] }`,
    `{ "name": "a.invalid", "logs": [{ "replaces": "${privateKey}", "vkey": "${privateKey}" }] }`,
    `{ "${privateKey}": 1, "listen": "${privateKey}", "logs": [${log}] }`,
  ];
  return parser<string>({
    name: "configuration: parseConfig",
    share: 25,
    inputs: texts([...samples, ...mistakes]),
    valid: samples,
    feed: (text) => text,
    run(text) {
      insist(text.length <= MAX_CONFIG_BYTES, "no longer one is read");
      try {
        const { logs, gossip, limits } = parseConfig(text, { path: "hearsay.jsonc", world });
        const durations = [
          ...("intervalMs" in gossip ? [gossip.intervalMs] : []),
          ...logs.flatMap((one) => [one.pollMs, one.patienceMs]),
        ];
        const { kinds, ...others } = limits;
        insist(kinds === KINDS, "what an item may hold and cost is no setting");
        const counts = [gossip.fanOut, ...Object.values(others)];
        insist(logs.length > 0, "a monitor has a log to follow");
        insist(durations.every((ms) => ms >= 100 && ms <= 31 * 86_400_000), "waits are bounded");
        insist(
          counts.every((count) => Number.isSafeInteger(count) && count > 0),
          "limits are counts",
        );
        return "accepted";
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        const { message } = error;
        insist(message.length <= MAX_REFUSAL_CHARACTERS, "a refusal can be read by a person");
        insist(!/[^\P{Cc}\n]/u.test(message), "a refusal is fit for a terminal");
        // It is enough to look for the start of the secret, because messages are cut short. If the
        // words before the secret are mutated, nobody could recognise it as a key.
        const plain = text.replace(
          /\\u([0-9a-f]{4})/g,
          (_, hex) => String.fromCharCode(parseInt(hex, 16)),
        );
        const isKnown = plain.split(secret).length === plain.split(keyStart).length;
        insist(!isKnown || !message.includes(secret), "no private key is told");
        return "refused";
      }
    },
  });
}

/** The values in a configuration: addresses, sources, durations. */
function smallTexts(stage: Stage): ParserUnderTest[] {
  return [
    parser<string>({
      name: "address: parseAddress",
      share: 60,
      inputs: texts(["192.0.2.1:9900", "[::1]:9900", "log.invalid:0", "[2001:db8::1.2.3.4]:65535"]),
      feed: (text) => text,
      run(text) {
        insist(formatAddress(parseAddress(text)) === text, "an address formats back to itself");
        return "accepted";
      },
    }),
    parser<string>({
      name: "source: openSource",
      share: 30,
      inputs: texts([
        ...["https://log.invalid/some/where/", "http://[::1]:80", "sumdb+https://log.invalid"],
        ...["static-ct+https://log.invalid/a%20b", "sigsum+https://log.invalid", "a/folder", "/"],
      ]),
      feed: (text) => `https://log.invalid/${text}x`,
      run(source) {
        const { log } = stage.honest;
        openSource({ world: denoWorld(), log, source, contact: "x" });
        const { hash, search, password } = URL.parse(source) ?? {};
        insist(isFolder(source) || !(hash || search || password), "paths can be put behind a URL");
        return "accepted";
      },
    }),
    parser<string>({
      name: "schedule: readSchedule",
      share: 30,
      inputs: texts([
        ...["*/5 * * * *", "0 0 29 2 +1", "@hourly", "@every 1h30m", "0,30 9-17 L JAN-JUN/2 MON#2"],
        "CRON_TZ=Europe/Berlin 59 59 23 15W 12 5L",
      ]),
      feed: (text) => text,
      run(text) {
        const schedule = readSchedule(text, "schedule");
        const after = Date.UTC(2026, 0, 1);
        const next = schedule.next(after);
        insist(next > after && Number.isSafeInteger(next), "it comes, and goes on");
        insist(schedule.next(next) > next, "no time comes twice");
        return "accepted";
      },
    }),
    parser<string>({
      name: "duration: readDuration",
      share: 30,
      inputs: texts(["100ms", "30s", "5m", "12h", "31d"]),
      feed: (text) => text,
      run(text) {
        const ms = readDuration(text, "interval");
        insist(Number.isSafeInteger(ms) && ms >= 100 && ms <= 31 * 86_400_000, "it is bounded");
        return "accepted";
      },
    }),
  ];
}

function privateKeys(stage: Stage): ParserUnderTest {
  const { signing } = denoWorld();
  const samples = [stage.hand.privateKey, stage.detector.privateKey + "\n"];
  interface NewKey {
    readonly name: string;
    readonly seed: Uint8Array;
  }
  return parser<string | NewKey>({
    name: "private key: loadSigner",
    valid: samples,
    share: 12,
    inputs: fc.oneof<fc.Arbitrary<string | NewKey>[]>(
      texts(samples),
      fc.record({
        name: texts(["monitor.invalid/one"]),
        seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      }),
    ),
    feed: (text) => text,
    async run(input): Promise<Outcome> {
      if (typeof input !== "string") {
        const { name, seed } = input;
        const { signer, privateKey } = await generateSigner({ world: seededWorld(seed), name });
        const { vkey } = await loadSigner({ signing, privateKey });
        insist(vkey.text === signer.vkey.text, "a key that was made is read");
        return "accepted";
      }
      try {
        const { vkey } = await loadSigner({ signing, privateKey: input });
        const written = samples.map((sample) => sample.trimEnd());
        insist(written.includes(input.replace(/\n$/, "")), "only a key as it was written is read");
        insist(input.includes(vkey.name), "its name is its own");
        return "accepted";
      } catch (error) {
        const told = error instanceof Error ? error.message : "";
        const secret = input.trimEnd().split("+").slice(4).join("+");
        insist(secret.length < 16 || !told.includes(secret), "no secret is told");
        throw error;
      }
    },
  });
}
