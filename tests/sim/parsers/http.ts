/**
 * The parsers of HTTP requests and answers.
 *
 * @module
 */
import fc from "fast-check";
import { gzipSync } from "node:zlib";
import { parseStatus } from "../../../src/cli/parse_status.ts";
import { answerFromDisk } from "../../../src/sources/disk_server.ts";
import { HttpFetcher, UnexpectedStatus } from "../../../src/sources/fetcher.ts";
import { SourceUnavailable } from "../../../src/sources/source.ts";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { MAX_HEADER_CHARACTERS, MAX_RETRY_AFTER_MS } from "../../../src/world/http_client.ts";
import { parseHttpDate } from "../../../src/world/http_date.ts";
import { gunzip } from "../../../src/world/content_coding.ts";
import { denoWorld } from "../../../src/world/deno.ts";
import { type Files, type OpenFile, WorldError } from "../../../src/world/world.ts";
import { type Answer, fakeWorld } from "../../sources/fake_http.ts";
import { fileOf } from "../../world/helpers.ts";
import { type Distortion, DISTORTIONS } from "./distort.ts";
import { bytes, textBytes, texts } from "./inputs.ts";
import { MAX_INPUT_LENGTH } from "./mutate.ts";
import { insist, type Outcome, parser, type ParserUnderTest } from "./parser.ts";
import { ORIGIN, type Stage } from "./stage.ts";

/** Parsers of HTTP requests and answers. */
export function http(stage: Stage): ParserUnderTest[] {
  return [fetching(), redirecting(), unzipping(), overSockets(), serving(), ...smallTexts(stage)];
}

/** Bytes of the longest answer taken in `fetching`. */
const MAX_BODY_BYTES = 2_000;

function fetching(): ParserUnderTest {
  interface Asked {
    readonly conditional: boolean;
    readonly bodies: readonly Uint8Array[];
    readonly distortions: readonly (Distortion | undefined)[];
  }
  return parser<Asked>({
    name: "HTTP: HttpFetcher",
    share: 25,
    inputs: fc.record({
      conditional: fc.boolean(),
      bodies: fc.array(bytes([utf8("a note"), new Uint8Array(MAX_BODY_BYTES)]), {
        minLength: 1,
        maxLength: 3,
      }),
      distortions: DISTORTIONS,
    }),
    orderly: [SourceUnavailable],
    async run({ conditional, bodies, distortions }) {
      const answers = bodies.map((body, i) => ({ body, ...distortions[i], steps: [] }));
      let at = 0;
      const { world, requests } = fakeWorld(() => answers[at]);
      const fetcher = new HttpFetcher({ world, prefix: "https://log.invalid", contact: "x" });
      let last: Uint8Array | undefined;
      let outcome: Outcome = "accepted";
      for (; at < answers.length; at++) {
        const { status = 200, body } = answers[at]! as Answer & { body: Uint8Array };
        try {
          const got = await fetcher.get("checkpoint", { maxBytes: MAX_BODY_BYTES, conditional });
          if (status === 304) insist(conditional && got === last, "unchanged is what was last");
          else {insist(
              got === (status === 200 ? body : undefined),
              "the answer, or that it is absent",
            );}
          if (status === 200) last = got;
        } catch (error) {
          if (!(error instanceof SourceUnavailable)) throw error;
          const { retryAfterMs } = error;
          insist(
            retryAfterMs === undefined || (retryAfterMs >= 0 && retryAfterMs <= MAX_RETRY_AFTER_MS),
            "no log silences its monitor",
          );
          insist(!(error instanceof UnexpectedStatus) || error.status === status, "its status");
          outcome = "refused";
        }
      }
      for (const { headers } of requests) {
        const longest = Math.max(...Object.values(headers).map(({ length }) => length));
        insist(longest <= MAX_HEADER_CHARACTERS + 64, "headers that are repeated are short");
      }
      return outcome;
    },
  });
}

/** Hosts on this machine or a private network, as the URL parser writes them. */
const NEAR = /^(?:(?:0|10|127)\..*|192\.168\..*|169\.254\..*|\[::1?\]|(?:.*\.)?localhost\.?)$/;

function redirecting(): ParserUnderTest {
  return parser<string>({
    name: "HTTP: a redirect's Location",
    share: 20,
    inputs: texts([
      ...["https://cdn.invalid/a?b#c", "/elsewhere", "../x", "http://127.0.0.1:9980/status"],
      ...["//localhost/", "http://2130706433/", "http://[::ffff:127.0.0.1]/", "http://0x7f.1/"],
    ]),
    orderly: [SourceUnavailable],
    feed: (text) => `https://cdn.invalid/${text}`,
    async run(location): Promise<Outcome> {
      const redirect = { status: 302, headers: { location } };
      const { world, requests } = fakeWorld(
        (_path, { url }) => url === "https://log.invalid/checkpoint" ? redirect : { body: "hello" },
        { "cdn.invalid": ["203.0.114.7"] },
      );
      const fetcher = new HttpFetcher({ world, prefix: "https://log.invalid", contact: "x" });
      const body = await fetcher.get("checkpoint", { maxBytes: MAX_BODY_BYTES });
      for (const { url } of requests) {
        const { protocol, hostname } = new URL(url);
        insist(["http:", "https:"].includes(protocol), "only web addresses are asked");
        insist(!NEAR.test(hostname), "nothing near is asked");
      }
      insist(body?.length === 5, "what it leads to");
      return "accepted";
    },
  });
}

function unzipping(): ParserUnderTest {
  const members = [gzipSync("a note"), gzipSync(new Uint8Array(MAX_BODY_BYTES + 1))];
  return parser<Uint8Array>({
    name: "HTTP: gunzip",
    share: 20,
    inputs: bytes([...members, new Uint8Array([...members[0]!, ...members[0]!])]),
    orderly: [WorldError],
    feed: utf8,
    run(zipped) {
      insist(gunzip(zipped, MAX_BODY_BYTES).length <= MAX_BODY_BYTES, "no more than is wanted");
      return "accepted";
    },
  });
}

/** Answers as they come over a socket. */
export const HTTP_SAMPLES = [
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: "x"\r\n\r\nhello',
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 429 Slow down\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end",
];

/** Longest wait for an answer over a real socket; the server sends all it has at once. */
export const SOCKET_TIMEOUT_MS = 500;

/** The platform's HTTP client, which is the only reader of an answer's own bytes. */
function overSockets(): ParserUnderTest {
  return parser<Uint8Array>({
    name: "HTTP: denoWorld().http.request over loopback",
    share: 4,
    inputs: textBytes(HTTP_SAMPLES),
    orderly: [WorldError],
    feed: (text) => utf8(HTTP_SAMPLES[6]! + text),
    async run(answer): Promise<Outcome> {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const served = serveBytes(listener, answer);
      try {
        const response = await denoWorld().http.request({
          url: `http://127.0.0.1:${listener.addr.port}/checkpoint`,
          headers: {},
          timeoutMs: SOCKET_TIMEOUT_MS,
          maxBytes: MAX_INPUT_LENGTH,
        });
        insist(response.body.length <= answer.length, "no more comes out than came in");
        insist(response.status === 200 || response.body.length === 0, "error pages are not kept");
        return "accepted";
      } finally {
        listener.close();
        await served;
      }
    },
  });
}

/** Answers every connection with these bytes, and closes it. */
export async function serveBytes(listener: Deno.TcpListener, answer: Uint8Array): Promise<void> {
  const open: Promise<void>[] = [];
  try {
    for (;;) {
      const connection = await listener.accept();
      open.push((async () => {
        try {
          await connection.read(new Uint8Array(4_096));
          for (let at = 0; at < answer.length;) at += await connection.write(answer.subarray(at));
        } catch {
          // The caller did not read all of it.
        } finally {
          connection.close();
        }
      })());
    }
  } catch {
    // The server was closed.
  }
  await Promise.all(open);
}

function serving(): ParserUnderTest {
  const folder = "home/log";
  return parser<string>({
    name: "HTTP: answerFromDisk",
    share: 40,
    inputs: texts([
      ...["/log/checkpoint", "/log/tile/0/000", "/log/tile/63/x001/x234/067.p/7"],
      ...["/log/tile/entries/x001/234.p/255", "/log/log.key", "/log/tile/0/../../log.key"],
    ]),
    feed: (text) => `/log/${text}`,
    async run(path) {
      const opened: string[] = [];
      const file = fileOf(utf8("content")).file;
      const no = (): never => {
        throw new Error("a server only reads");
      };
      const files: Files = {
        open: (path): Promise<OpenFile> => {
          opened.push(path);
          return Promise.resolve(file);
        },
        ...{ create: no, makeFolder: no, list: no, syncFolder: no, remove: no, rename: no },
        ...{ identity: no, entries: no, kindOf: no, readShort: no },
        absolute: (path) => path,
      };
      const { status } = await answerFromDisk({
        query: {
          ...{ method: "GET", path, search: "", header: () => undefined },
          caller: { hostname: "192.0.2.1", port: 1 },
          content: () => Promise.resolve(new Uint8Array(0)),
        },
        files,
        logs: [{ prefix: "/log/", folder }],
      });
      const isPublic = (name: string): boolean =>
        name === `${folder}/checkpoint` || /^home\/log\/tile\/[a-z0-9]+\/[x0-9/.p]+$/.test(name);
      insist(opened.every((name) => isPublic(name) && !name.includes("..")), "what is public");
      return status === 200 ? "accepted" : "refused";
    },
  });
}

/** Dates, and what another monitor says of itself. */
function smallTexts(stage: Stage): ParserUnderTest[] {
  const now = "2026-01-02T03:04:05.000Z";
  const { text: vkey } = stage.hand.vkey;
  const status = {
    ...{ name: "monitor.invalid/one", vkey, startedAt: now, now, incidents: 0, unwritten: false },
    logs: [{
      origin: ORIGIN,
      vkey,
      size: "7",
      incidents: 0,
      openQuestions: 1,
      counts: { first: 1 },
    }],
    peers: [{ address: "a:1", exchanges: 1, failures: 0, matches: 1, conflicts: 0 }],
  };
  return [
    parser<string>({
      name: "HTTP: parseHttpDate",
      share: 30,
      inputs: texts([
        ...["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 01 Mar 2026 12:10:00 GMT"],
        ...["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
      ]),
      feed: (text) => text,
      run(text) {
        const time = parseHttpDate(text, Date.parse(now));
        if (time === undefined) return "refused";
        insist(Number.isSafeInteger(time), "a date is a time");
        return "accepted";
      },
    }),
    parser<string>({
      name: "HTTP: parseStatus",
      share: 20,
      inputs: texts([JSON.stringify(status)]),
      feed: (text) => text,
      run(text) {
        const { logs, peers } = parseStatus(text);
        insist([...logs, ...peers].every((one) => typeof one === "object"), "lists of objects");
        return "accepted";
      },
    }),
  ];
}
