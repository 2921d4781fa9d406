/** The real HTTP client, against servers that say what no honest one would. */
import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { MAX_GZIP_OVERHEAD_BYTES } from "../../src/world/content_coding.ts";
import { type HttpRequest, type HttpResponse, WorldError } from "../../src/world/world.ts";
import { world } from "./helpers.ts";

const encoder = new TextEncoder();
const TIMEOUT_MS = 5_000;

interface Served {
  readonly url: string;
  /** What callers said, a string a connection. */
  readonly heard: string[];
}

/** What a server writes to each caller; once all is written it closes. */
type Writes = () => Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** Serves connections one by one while a test runs. */
async function serving<T>(writes: Writes, run: (served: Served) => Promise<T>): Promise<T> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const heard: string[] = [];
  const served = (async () => {
    for await (const connection of listener) {
      try {
        const buffer = new Uint8Array(4_096);
        heard.push(
          new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0)),
        );
        for await (const part of writes()) {
          const bytes = typeof part === "string" ? encoder.encode(part) : part;
          for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
        }
      } catch {
        // The caller has heard enough.
      } finally {
        connection.close();
      }
    }
  })();
  try {
    return await run({ url: `http://127.0.0.1:${listener.addr.port}/`, heard });
  } finally {
    listener.close();
    await served;
  }
}

function get(url: string, more: Partial<HttpRequest> = {}): Promise<HttpResponse> {
  return world.http.request({ url, headers: {}, timeoutMs: TIMEOUT_MS, maxBytes: 100, ...more });
}

/** An answer with a body of known length, and more headers, each with its line end. */
function answer(body: string | Uint8Array, headers = ""): Writes {
  const head = `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length}\r\n`;
  return () => [`${head}${headers}\r\n`, body];
}

function bodyOf(writes: Writes, more: Partial<HttpRequest> = {}): Promise<string> {
  return serving(writes, async ({ url }) => new TextDecoder().decode((await get(url, more)).body));
}

async function refused(writes: Writes, more: Partial<HttpRequest> = {}): Promise<WorldError> {
  return await serving(writes, ({ url }) => assertRejects(() => get(url, more), WorldError));
}

const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const TWO_MEMBERS = joined(gzipSync("hello "), gzipSync("world"));

Deno.test("http get: a redirect is an answer, and nothing is asked of where it leads", () =>
  serving(answer("a secret of this machine"), (inner) =>
    serving(
      () => [`HTTP/1.1 302 Found\r\nlocation: ${inner.url}\r\ncontent-length: 0\r\n\r\n`],
      async ({ url }) => {
        const response = await get(url);
        assertEquals([response.status, response.body.length], [302, 0]);
        assertEquals(response.header("location"), inner.url);
        assertEquals(inner.heard, []);
      },
    )));

Deno.test("http get: connects to the address it is given, and asks for the host of the URL", () =>
  serving(answer("hello"), async ({ url, heard }) => {
    const { port } = new URL(url);
    const named = `http://log.invalid:${port}/a`;
    assertEquals((await get(named, { address: "127.0.0.1" })).body, encoder.encode("hello"));
    assert(/^host: log\.invalid:\d+\r$/mi.test(heard[0]!), heard[0]);
  }));

Deno.test("http get: an address that no URL can hold is not replaced by where the name leads", () =>
  serving(answer("hello"), async ({ url, heard }) => {
    await assertRejects(() => get(url, { address: "fe80::1%eth0" }), WorldError, "no URL leads to");
    assertEquals(heard, []);
  }));

Deno.test("http get: asks for no coding, and undoes gzip that comes, under both its names", async () => {
  for (const coding of ["gzip", "x-gzip", "GZIP", "gzip, identity"]) {
    await serving(
      answer(TWO_MEMBERS, `content-encoding: ${coding}\r\n`),
      async ({ url, heard }) => {
        // Not just the first member: what is cut off looks like a log that withholds.
        assertEquals((await get(url)).body, encoder.encode("hello world"), coding);
        assert(/^accept-encoding: identity\r$/mi.test(heard[0]!), heard[0]);
      },
    );
  }
  for (const none of ["identity", "utf-8", "aws-chunked"]) {
    assertEquals(await bodyOf(answer("hello", `content-encoding: ${none}\r\n`)), "hello", none);
  }
});

Deno.test("http get: gzip is bounded by what comes out, and by what it may add", async () => {
  const zipped = (length: number) => gzipSync(new Uint8Array(length));
  const gzip = "content-encoding: gzip\r\n";
  assertEquals((await bodyOf(answer(zipped(100), gzip))).length, 100);
  for (const length of [101, 10_000_000]) {
    assertEquals((await refused(answer(zipped(length), gzip))).kind, "too large");
  }
  assertEquals(await bodyOf(answer(gzipSync(""), gzip), { maxBytes: 0 }), "");
  // Members that hold nothing, up to the bound and beyond.
  const empty = gzipSync("");
  const members = (count: number) => joined(...Array<Uint8Array>(count).fill(empty));
  const most = Math.floor(MAX_GZIP_OVERHEAD_BYTES / empty.length);
  assertEquals(await bodyOf(answer(members(most), gzip), { maxBytes: 0 }), "");
  const many = await refused(answer(members(most + 1), gzip), { maxBytes: 0 });
  assertEquals(many.kind, "too large");
});

Deno.test("http get: what is no whole gzip, or a compression not asked for, is no answer", async () => {
  const gzip = "content-encoding: gzip\r\n";
  const broken = TWO_MEMBERS.map((byte, i) => i === TWO_MEMBERS.length - 6 ? byte ^ 1 : byte);
  const cut = [1, 12, 25, TWO_MEMBERS.length - 1].map((length) => TWO_MEMBERS.subarray(0, length));
  for (const body of [...cut, broken, encoder.encode("plain"), new Uint8Array(0)]) {
    const error = await refused(answer(body, gzip));
    assertEquals(error.kind, "other");
    assert(error.message.includes("no whole gzip"), error.message);
  }
  for (const coding of ["br", "deflate", "zstd", "compress", "gzip, gzip", "br, gzip"]) {
    const error = await refused(answer("hello", `content-encoding: ${coding}\r\n`));
    assert(error.message.includes("which was not requested"), error.message);
  }
});

Deno.test("http get: an answer shorter than it said is no answer", async () => {
  const lies: string[] = [
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 4\r\n\r\nhello",
    "HTTP/1.1 200",
    "",
  ];
  for (const lie of lies) assertEquals((await refused(() => [lie])).kind, "other", lie);
});

Deno.test("http get: what comes beyond the length that was said is not part of the answer", async () => {
  const writes =
    () => ["HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello more"];
  assertEquals(await bodyOf(writes), "hello");
});

Deno.test("http get: a body without end is left off at the limit", async () => {
  let chunks = 0;
  const error = await refused(function* () {
    yield "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (; chunks < 100_000; chunks++) yield `400\r\n${"x".repeat(1_024)}\r\n`;
  });
  assertEquals(error.kind, "too large");
  assertLess(chunks, 100_000);
});

Deno.test("http get: headers without end are no answer", async () => {
  let lines = 0;
  const error = await refused(function* () {
    yield "HTTP/1.1 200 OK\r\n";
    for (; lines < 100_000; lines++) yield `x-${lines}: ${"x".repeat(1_024)}\r\n`;
  });
  assertEquals(error.kind, "other");
  assertLess(lines, 100_000);
});

Deno.test("http get: the deadline is for the whole answer, however it trickles", async () => {
  const timeoutMs = 200;
  for (const head of ["HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n"]) {
    const error = await refused(async function* () {
      yield head;
      for (let i = 0; i < 80; i++) {
        await new Promise<void>((resolve) => world.clock.after(20, resolve));
        yield "x";
      }
    }, { timeoutMs });
    assertEquals([error.kind, error.message], ["timed out", "no answer within 200 ms"]);
  }
});

Deno.test("http get: a status without a content of its own has none", async () => {
  for (const status of [204, 206, 304, 404, 500]) {
    const writes = () => [`HTTP/1.1 ${status} X\r\nconnection: close\r\n\r\nhello`];
    await serving(writes, async ({ url }) => {
      const response = await get(url);
      assertEquals([response.status, response.body.length], [status, 0]);
    });
  }
});

Deno.test("http get: why it failed does not say the path of the URL, which may be a secret", async () => {
  const ways: Writes[] = [() => [], () => ["no HTTP\r\n\r\n"], () => ["HTTP/1.1 200 OK\r\nconte"]];
  for (const writes of [...ways, answer("", "content-length: 5\r\n")]) {
    await serving(writes, async ({ url }) => {
      const error = await assertRejects(() => get(`${url}services/T0KEN?key=T0KEN`), WorldError);
      assert(!error.message.includes("T0KEN"), error.message);
      assert(error.message.length > 10, error.message);
    });
  }
  const [closed] = await serving(() => [], ({ url }) => Promise.resolve([url]));
  const error = await assertRejects(() => get(`${closed}T0KEN`), WorldError);
  assert(!error.message.includes("T0KEN"), error.message);
});

Deno.test("http get: a bug of ours is not told as an outage", async () => {
  await serving(answer("hello"), async ({ url }) => {
    for (const [bad, headers] of [["no URL", {}], [url, { "x y": "1" }], [url, { x: "\n\0" }]]) {
      const error = await assertRejects(
        () => get(bad as string, { headers: headers as Record<string, string> }),
        TypeError,
      );
      assert(!(error instanceof WorldError));
    }
  });
});

Deno.test("http lookup: gives a name's addresses, and says of what it cannot why", async () => {
  assertEquals(await world.http.lookup("127.0.0.1", TIMEOUT_MS), ["127.0.0.1"]);
  // No test may ask the network for another name.
  const lookup = () => world.http.lookup("log.invalid", TIMEOUT_MS);
  const error = await assertRejects(lookup, WorldError, "Requires net access");
  assertEquals(error.kind, "not permitted");
});

Deno.test("http: content is posted, and the answer comes", () =>
  serving(answer("thanks"), async ({ url, heard }) => {
    const { status, body } = await get(url, { content: encoder.encode("a note") });
    assertEquals([status, new TextDecoder().decode(body)], [200, "thanks"]);
    assertMatch(heard[0]!, /^POST \/ HTTP\/1\.1\r\n[^]*content-length: 6\r\n[^]*\r\n\r\na note$/i);
  }));
