import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { utf8 } from "../../src/tlog/encoding.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import {
  AnswerTooLarge,
  FolderFetcher,
  HttpFetcher,
  REQUEST_TIMEOUT_MS,
  UnexpectedStatus,
} from "../../src/sources/fetcher.ts";
import { SourceUnavailable } from "../../src/sources/source.ts";
import {
  MAX_HEADER_CHARACTERS,
  MAX_REMEMBERED_MS,
  MAX_RETRY_AFTER_MS,
  MAX_UNMODIFIED,
  MIN_LAST_MODIFIED_AGE_MS,
  NO_CONTACT,
} from "../../src/world/http_client.ts";
import { VERSION } from "../../src/world/version.ts";
import { type Files, WorldError } from "../../src/world/world.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { inFolder, world as realWorld } from "../world/helpers.ts";
import { type Answer, fakeWorld, NOW, type Server } from "./fake_http.ts";

const PREFIX = "https://log.example/prefix";
const CONTACT = "https://monitor.example/about";
const ANY = { maxBytes: 100 };

function fetching(server: Server) {
  const { world, requests } = fakeWorld(server);
  return { fetcher: new HttpFetcher({ world, prefix: PREFIX, contact: CONTACT }), requests };
}

Deno.test("HttpFetcher: asks below the prefix, says who asks, and limits time and size", async () => {
  const { fetcher, requests } = fetching(() => ({ body: "hello" }));
  assertEquals(await fetcher.get("tile/0/000", ANY), utf8("hello"));
  assertEquals(requests, [{
    url: "https://log.example/prefix/tile/0/000",
    headers: { "user-agent": `hearsay/${VERSION} (+${CONTACT})` },
    timeoutMs: REQUEST_TIMEOUT_MS,
    maxBytes: 100,
  }]);
});

Deno.test("HttpFetcher: without a contact it says only which program asks, and its version", async () => {
  const { world, requests } = fakeWorld(() => ({ body: "hello" }));
  await new HttpFetcher({ world, prefix: PREFIX, contact: NO_CONTACT }).get("checkpoint", ANY);
  assertEquals(requests.map(({ headers }) => headers), [{ "user-agent": `hearsay/${VERSION}` }]);
});

Deno.test("HttpFetcher: a prefix ends with one slash however it was written", () => {
  const { world } = fakeWorld(() => undefined);
  for (const prefix of ["http://a.example", "http://a.example/", "http://a.example//"]) {
    const fetcher = new HttpFetcher({ world, prefix, contact: CONTACT });
    assertEquals(fetcher.locate("checkpoint"), "http://a.example/checkpoint");
  }
});

Deno.test("HttpFetcher: 404 and 410 mean that it is not there", async () => {
  for (const status of [404, 410]) {
    const { fetcher } = fetching(() => ({ status, body: "a page that says so" }));
    assertEquals(await fetcher.get("checkpoint", ANY), undefined);
  }
});

Deno.test("HttpFetcher: every other status is an outage that names it", async () => {
  for (const status of [201, 204, 206, 304, 400, 401, 403, 429, 500, 502, 503]) {
    const { fetcher } = fetching(() => ({ status }));
    const error = await assertRejects(() => fetcher.get("checkpoint", ANY), UnexpectedStatus);
    assertEquals(error.status, status);
    assertEquals(error.retryAfterMs, undefined);
    assertStringIncludes(error.message, `https://log.example/prefix/checkpoint: it answers with`);
    assertStringIncludes(error.message, `HTTP status ${status}`);
  }
});

async function retryAfter(value: string, status = 503): Promise<number | undefined> {
  const { fetcher } = fetching(() => ({ status, headers: { "retry-after": value } }));
  return (await assertRejects(() => fetcher.get("checkpoint", ANY), SourceUnavailable))
    .retryAfterMs;
}

Deno.test("HttpFetcher: Retry-After is read in seconds and as a date", async () => {
  assertEquals(await retryAfter("120"), 120_000);
  assertEquals(await retryAfter("120", 429), 120_000);
  assertEquals(await retryAfter("0"), 0);
  assertEquals(NOW.toUTCString(), "Sun, 01 Mar 2026 12:00:00 GMT");
  assertEquals(await retryAfter("Sun, 01 Mar 2026 12:00:30 GMT"), 30_000);
  assertEquals(await retryAfter("Sun, 01 Mar 2026 11:59:30 GMT"), 0);
  // SPEC: A recipient that parses a timestamp value MUST accept all three HTTP-date formats.
  assertEquals(await retryAfter("Sunday, 01-Mar-26 12:00:30 GMT", 429), 30_000);
  assertEquals(await retryAfter("Sun Mar  1 12:00:30 2026"), 30_000);
});

Deno.test("HttpFetcher: Retry-After silences nobody for longer than its limit", async () => {
  const limit = MAX_RETRY_AFTER_MS / 1000;
  assertEquals(await retryAfter(`${limit - 1}`), MAX_RETRY_AFTER_MS - 1000);
  assertEquals(await retryAfter(`${limit}`), MAX_RETRY_AFTER_MS);
  assertEquals(await retryAfter(`${limit + 1}`), MAX_RETRY_AFTER_MS);
  assertEquals(await retryAfter("9".repeat(400)), MAX_RETRY_AFTER_MS);
  assertEquals(await retryAfter("Fri, 31 Dec 9999 23:59:59 GMT"), MAX_RETRY_AFTER_MS);
});

Deno.test("HttpFetcher: a log that puts off one request is asked for nothing until then", async () => {
  let now = 5_000;
  const { world, requests } = fakeWorld((path) =>
    path.endsWith("busy") ? { status: 429, headers: { "retry-after": "30" } } : { body: "hello" }
  );
  const clock = { ...world.clock, monotonic: () => now };
  const fetcher = new HttpFetcher({ world: { ...world, clock }, prefix: PREFIX, contact: CONTACT });
  await assertRejects(() => fetcher.get("busy", ANY), UnexpectedStatus);
  now += 29_000;
  const error = await assertRejects(() => fetcher.get("tile/0/000", ANY), SourceUnavailable);
  assertEquals([error.retryAfterMs, requests.length], [1_000, 1]);
  now += 1_000;
  assertEquals(await fetcher.get("tile/0/000", ANY), utf8("hello"));
});

Deno.test("HttpFetcher: a Retry-After that is neither form, or has no place, is none", async () => {
  const hostile = ["", "-1", "1.5", "1e3", "0x10", "soon", "120 s", "NaN", "Infinity"];
  const dates = ["Sun, 99 Mar 2026 12:00:30 GMT", "Sun, 01 Mar 2026 12:00:30 CET"];
  const obsolete = ["Monday, 30-Feb-26 12:00:30 GMT", "Mon Feb 30 12:00:30 2026"];
  for (const value of [...hostile, ...dates, ...obsolete]) {
    assertEquals(await retryAfter(value), undefined, value);
  }
  assertEquals(await retryAfter("120", 500), undefined);
  assertEquals(await retryAfter("120", 403), undefined);
});

Deno.test("HttpFetcher: asks again only for what changed, where that is wanted", async () => {
  const answers: Answer[] = [
    { body: "one", headers: { etag: '"1"', "last-modified": "Sun, 01 Mar 2026 11:00:00 GMT" } },
    { status: 304 },
    { body: "two", headers: { "last-modified": "Sun, 01 Mar 2026 11:30:00 GMT" } },
    { status: 304 },
    { body: "three" },
    { body: "four" },
  ];
  const { fetcher, requests } = fetching(() => answers.shift());
  const bodies: string[] = [];
  for (let i = 0; i < 6; i++) {
    const body = await fetcher.get("checkpoint", { ...ANY, conditional: true });
    bodies.push(new TextDecoder().decode(body));
  }
  assertEquals(bodies, ["one", "one", "two", "two", "three", "four"]);
  const agent = { "user-agent": `hearsay/${VERSION} (+${CONTACT})` };
  const first = {
    "if-none-match": '"1"',
    "if-modified-since": "Sun, 01 Mar 2026 11:00:00 GMT",
  };
  const second = { "if-modified-since": "Sun, 01 Mar 2026 11:30:00 GMT" };
  assertEquals(requests.map(({ headers }) => headers), [
    agent,
    { ...agent, ...first },
    { ...agent, ...first },
    { ...agent, ...second },
    { ...agent, ...second },
    agent,
  ]);
});

Deno.test("HttpFetcher: an outage or an absence between does not forget what was remembered", async () => {
  const answers: Answer[] = [
    { body: "one", headers: { etag: '"1"' } },
    { status: 500 },
    { status: 404 },
    { status: 304 },
  ];
  const { fetcher } = fetching(() => answers.shift());
  const get = () => fetcher.get("checkpoint", { ...ANY, conditional: true });
  assertEquals(await get(), utf8("one"));
  await assertRejects(get, UnexpectedStatus);
  assertEquals(await get(), undefined);
  assertEquals(await get(), utf8("one"));
});

Deno.test("HttpFetcher: what it was made to forget is asked for in whole", async () => {
  const { fetcher, requests } = fetching(() => ({ body: "note", headers: { etag: '"1"' } }));
  const get = () => fetcher.get("checkpoint", { ...ANY, conditional: true });
  await get();
  fetcher.forget();
  await get();
  assertEquals(requests.map(({ headers }) => headers["if-none-match"]), [undefined, undefined]);
});

Deno.test("HttpFetcher: tiles are asked for without conditions, and paths kept apart", async () => {
  const { fetcher, requests } = fetching(() => ({ body: "x", headers: { etag: '"1"' } }));
  await fetcher.get("tile/0/000", ANY);
  await fetcher.get("tile/0/000", ANY);
  await fetcher.get("checkpoint", { ...ANY, conditional: true });
  await fetcher.get("latest", { ...ANY, conditional: true });
  for (const { headers } of requests) assertEquals(Object.keys(headers), ["user-agent"]);
});

Deno.test("HttpFetcher: a validator longer than its limit is not repeated", async () => {
  for (const length of [MAX_HEADER_CHARACTERS, MAX_HEADER_CHARACTERS + 1]) {
    const etag = "e".repeat(length);
    const { fetcher, requests } = fetching(() => ({ body: "x", headers: { etag } }));
    await fetcher.get("checkpoint", { ...ANY, conditional: true });
    await fetcher.get("checkpoint", { ...ANY, conditional: true });
    assertEquals(
      requests[1]!.headers["if-none-match"],
      length <= MAX_HEADER_CHARACTERS ? etag : undefined,
    );
  }
});

/** The conditions of the request that follows an answer with these headers. */
async function conditionsAfter(headers: Record<string, string>): Promise<Record<string, string>> {
  const { fetcher, requests } = fetching(() => ({ body: "x", headers }));
  await fetcher.get("checkpoint", { ...ANY, conditional: true });
  await fetcher.get("checkpoint", { ...ANY, conditional: true });
  const { "user-agent": _, ...conditions } = requests[1]!.headers;
  return conditions;
}

Deno.test("HttpFetcher: a publication of the second it was fetched in is not asked by validators", async () => {
  const etag = '"69a43e40-c8"';
  const modified = (ms: number) => new Date(NOW.getTime() - ms).toUTCString();
  const date = NOW.toUTCString();
  for (const age of [-60_000, 0, MIN_LAST_MODIFIED_AGE_MS - 1_000]) {
    const headers = { etag, date, "last-modified": modified(age) };
    assertEquals(await conditionsAfter(headers), {}, `${age}`);
  }
  const old = modified(MIN_LAST_MODIFIED_AGE_MS);
  const conditions = { "if-none-match": etag, "if-modified-since": old };
  assertEquals(await conditionsAfter({ etag, date, "last-modified": old }), conditions);
  // The server's clock decides where it says what it is.
  const behind = new Date(NOW.getTime() - 3_600_000).toUTCString();
  assertEquals(await conditionsAfter({ etag, date: behind, "last-modified": behind }), {});
  assertEquals(await conditionsAfter({ etag, "last-modified": date }), {});
  assertEquals(await conditionsAfter({ etag, date, "last-modified": "yesterday" }), {});
});

Deno.test("HttpFetcher: a weak ETag tells nothing apart; a strong one does without a date", async () => {
  const old = "Sun, 01 Mar 2026 11:00:00 GMT";
  assertEquals(await conditionsAfter({ etag: 'W/"1"' }), {});
  assertEquals(await conditionsAfter({ etag: 'W/"1"', "last-modified": old }), {
    "if-modified-since": old,
  });
  assertEquals(await conditionsAfter({ etag: '"1"' }), { "if-none-match": '"1"' });
});

Deno.test("HttpFetcher: a server that says 304 for ever hides nothing for long", async () => {
  let now = 0;
  let published = 0;
  const { world, requests } = fakeWorld((_path, { headers }) =>
    "if-none-match" in headers
      ? { status: 304 }
      : { body: `${published}`, headers: { etag: '"the same"' } }
  );
  const clock = { ...world.clock, monotonic: () => now };
  const fetcher = new HttpFetcher({
    ...{ world: { ...world, clock }, prefix: PREFIX, contact: CONTACT },
  });
  const get = async () =>
    new TextDecoder().decode(await fetcher.get("checkpoint", { ...ANY, conditional: true }));
  assertEquals(await get(), "0");
  published = 1;
  // By the count of answers, where it is asked often.
  for (let i = 0; i < MAX_UNMODIFIED; i++) assertEquals(await get(), "0");
  assertEquals(await get(), "1");
  // By time, where it is asked seldom.
  published = 2;
  now += MAX_REMEMBERED_MS - 1;
  assertEquals(await get(), "1");
  now += 1;
  assertEquals(await get(), "2");
  // And from each whole answer anew.
  const asked = requests.length;
  for (let i = 0; i < MAX_UNMODIFIED; i++) await get();
  const later = requests.slice(asked);
  assertEquals(later.every(({ headers }) => "if-none-match" in headers), true);
});

Deno.test("HttpFetcher: silence, refusal and too long an answer are outages", async () => {
  const kinds = ["timed out", "other", "closed"] as const;
  for (const kind of kinds) {
    const { fetcher } = fetching(() => {
      throw new WorldError(kind, "the system's\u001b words");
    });
    const error = await assertRejects(() => fetcher.get("checkpoint", ANY), SourceUnavailable);
    assertEquals(
      error.message,
      "Cannot get https://log.example/prefix/checkpoint: the system's\\u{1b} words",
    );
  }
  const { fetcher } = fetching(() => ({ body: "x".repeat(100) }));
  assertEquals((await fetcher.get("checkpoint", { maxBytes: 100 }))?.length, 100);
  await assertRejects(() => fetcher.get("checkpoint", { maxBytes: 99 }), AnswerTooLarge, "99");
});

Deno.test("HttpFetcher: a bug of ours is not taken for an outage", async () => {
  const { fetcher } = fetching(() => {
    throw new TypeError("a bug");
  });
  await assertRejects(() => fetcher.get("checkpoint", ANY), TypeError, "a bug");
});

Deno.test("HttpFetcher: a prefix or contact that cannot be used is refused", () => {
  const { world } = fakeWorld(() => undefined);
  const prefixes: [string, string][] = [
    ["ftp://a.example", "expected http"],
    ["log.example", "expected http"],
    ["https://", "expected http"],
    ["https://a.example/?key=1", "no ? or #"],
    ["https://a.example/?", "no ? or #"],
    ["https://a.example/#top", "no ? or #"],
    ["https://user:secret@a.example/", "a name or password"],
  ];
  for (const [prefix, message] of prefixes) {
    const error = assertThrows(
      () => new HttpFetcher({ world, prefix, contact: CONTACT }),
      MalformedError,
      message,
    );
    assertEquals(error.message.includes("secret"), false);
  }
  const contacts = ["", "a\r\nb", "(x)", "naïve", "x".repeat(MAX_HEADER_CHARACTERS + 1), "\\"];
  for (const contact of contacts) {
    assertThrows(
      () => new HttpFetcher({ world, prefix: PREFIX, contact }),
      MalformedError,
      "contact is",
    );
  }
  const contact = "x".repeat(MAX_HEADER_CHARACTERS);
  assertEquals(new HttpFetcher({ world, prefix: PREFIX, contact }).locate(""), PREFIX + "/");
});

Deno.test("FolderFetcher: gives files up to the limit, nothing for what is not there", () =>
  inFolder(async (folder) => {
    const fetcher = new FolderFetcher({ world: realWorld, folder });
    assertEquals(await fetcher.get("checkpoint", ANY), undefined);
    assertEquals(await fetcher.get("tile/0/000", ANY), undefined);
    await Deno.mkdir(`${folder}/tile`);
    await Deno.writeTextFile(`${folder}/tile/file`, "x".repeat(100));
    assertEquals((await fetcher.get("tile/file", { maxBytes: 100 }))?.length, 100);
    await assertRejects(() => fetcher.get("tile/file", { maxBytes: 99 }), AnswerTooLarge);
    // A folder is no file: reading it is an outage, not an absence.
    await assertRejects(() => fetcher.get("tile", ANY), SourceUnavailable);
    assertStringIncludes(fetcher.locate("tile/file"), "tile/file");
  }));

/** Files that do not answer until they are let go. */
function hangingFiles() {
  const letGo = Promise.withResolvers<void>();
  const asked: string[] = [];
  const files: Files = {
    ...realWorld.files,
    open: async (path, mode) => {
      asked.push(path);
      await letGo.promise;
      return await realWorld.files.open(path, mode);
    },
  };
  return { files, asked, letGo: () => letGo.resolve() };
}

Deno.test("FolderFetcher: a read that does not end is an outage, and none is begun beside it", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/checkpoint`, "here");
    const clock = new ManualClock();
    const { files, asked, letGo } = hangingFiles();
    const fetcher = new FolderFetcher({ world: { ...realWorld, clock, files }, folder });
    let error: unknown;
    const ended = fetcher.get("checkpoint", ANY).catch((thrown) => error = thrown);
    await clock.advance(REQUEST_TIMEOUT_MS - 1);
    assertEquals(error, undefined);
    await clock.advance(1);
    await ended;
    assert(error instanceof SourceUnavailable);
    assertStringIncludes(error.message, `not read within ${REQUEST_TIMEOUT_MS} ms`);
    await assertRejects(() => fetcher.get("checkpoint", ANY), SourceUnavailable, "has not ended");
    assertEquals(asked.length, 1);
    letGo();
    // Opened, read and closed by the real world, which takes the time it takes.
    let content: Uint8Array | undefined;
    while (content === undefined) {
      content = await fetcher.get("checkpoint", ANY).catch(() => undefined);
      await settled();
    }
    assertEquals(content, utf8("here"));
    assertEquals(clock.pending, 0, "no timer is left");
  }));
