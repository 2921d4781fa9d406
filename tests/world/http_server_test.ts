/** The HTTP server over a network in memory: what it takes for a request, and what callers may take. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { HTTP_SERVER_LIMITS, serveHttp, TELL_LACK_AGAIN_MS } from "../../src/world/http_server.ts";
import { parseRequestHead } from "../../src/world/http_request.ts";
import { type HttpQuery, WorldError } from "../../src/world/world.ts";
import { type FakeConnection, FakeNetwork, ManualClock, settled } from "../gossip/fake_network.ts";

const HERE = { hostname: "192.0.2.1", port: 80 };
const BODY = "a body";
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/** A server, and who calls it. It takes content of up to 8 bytes, and answers with what came. */
function serving(limits: Partial<typeof HTTP_SERVER_LIMITS> = {}, body = BODY) {
  const clock = new ManualClock();
  const network = new FakeNetwork({ clock });
  const listener = network.listen(HERE);
  const asked: HttpQuery[] = [];
  const lacks: string[] = [];
  const server = serveHttp({
    ...{ listener, clock, limits: { ...HTTP_SERVER_LIMITS, ...limits } },
    onLack: (reason) => lacks.push(reason),
    async answer(query) {
      asked.push(query);
      if (query.method !== "POST") return { status: 200, body: new TextEncoder().encode(body) };
      return { status: 200, body: new Uint8Array(await query.content(8)) };
    },
  });
  const connect = (from = "192.0.2.9"): Promise<FakeConnection> =>
    network.at(from).connect(HERE, 1_000);
  return { clock, listener, server, asked, lacks, connect };
}

async function send(connection: FakeConnection, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
  await settled();
}

/** What has arrived, or nothing if the server has closed the connection without a word. */
async function received(connection: FakeConnection): Promise<string> {
  if (connection.arrived === 0) return "";
  const buffer = new Uint8Array(64 * 1024);
  return new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer)));
}

async function isClosed(connection: FakeConnection): Promise<boolean> {
  try {
    await connection.write(Uint8Array.of(0));
    return false;
  } catch (error) {
    assert(error instanceof WorldError);
    return true;
  }
}

async function answerTo(text: string): Promise<string> {
  const { server, connect } = serving();
  const connection = await connect();
  await send(connection, text);
  const answer = await received(connection);
  connection.close();
  await server.close();
  return answer;
}

Deno.test("http server: a request is answered, and so is the next on the same connection", async () => {
  const { server, asked, connect } = serving();
  const connection = await connect();
  for (let i = 0; i < 2; i++) {
    await send(connection, "GET /a%20b?c=d?e HTTP/1.1\r\nHost: x\r\nX-Own:  own \r\n\r\n");
    assertMatch(
      await received(connection),
      /^HTTP\/1\.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 6\r\n\r\na body$/,
    );
  }
  const [{ method, path, search, header }] = asked as [HttpQuery];
  assertEquals([method, path, search, header("x-own")], ["GET", "/a%20b", "c=d?e", "own"]);
  assertEquals(asked.length, 2);
  await server.close();
});

Deno.test("http server: requests that come in one piece, and one that comes in many, are answered", async () => {
  const { server, asked, connect } = serving();
  const connection = await connect();
  await send(connection, GET + GET);
  assertEquals(asked.length, 2);
  for (const character of GET) await send(connection, character);
  assertEquals(asked.length, 3);
  await server.close();
});

Deno.test("http server: HEAD is answered without a body, its length stated", async () => {
  assertMatch(await answerTo(GET.replace("GET", "HEAD")), /content-length: 6\r\n\r\n$/);
});

for (
  const text of [
    GET.replace("HTTP/1.1", "HTTP/1.0"),
    GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    GET.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nGET /"),
    GET.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"),
  ]
) {
  Deno.test(`http server: nothing is taken after ${JSON.stringify(text)}`, async () => {
    assertMatch(
      await answerTo(text + GET),
      /^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n\r\na body$/,
    );
  });
}

const POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n12345678";

Deno.test("http server: content is taken in one piece and in many, and another request may follow", async () => {
  const { server, connect } = serving();
  for (const step of [POST.length, 1, POST.length - 3]) {
    const connection = await connect();
    for (let at = 0; at < POST.length; at += step) {
      await send(connection, POST.slice(at, at + step));
    }
    const answer = await received(connection);
    assertMatch(answer, /\r\n\r\n12345678$/);
    assert(!answer.includes("connection: close"));
    await send(connection, GET);
    assertMatch(await received(connection), /^HTTP\/1\.1 200 OK\r\n/);
    connection.close();
  }
  await server.close();
});

Deno.test("http server: two requests with content that come at once are two requests", async () => {
  const { server, connect } = serving();
  const connection = await connect();
  await send(connection, POST + POST.replace("12345678", "87654321"));
  let all = "";
  while (!all.endsWith("87654321")) all += await received(connection);
  assertEquals(all.match(/HTTP\/1\.1 200/g)?.length, 2);
  connection.close();
  await server.close();
});

Deno.test("http server: content that was not read ends the connection, and is no request", async () => {
  const { server, connect } = serving();
  const connection = await connect();
  const inner = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  await send(
    connection,
    `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  );
  assertMatch(await received(connection), /connection: close\r\n/);
  connection.close();
  await server.close();
});

Deno.test("http server: who asks first whether to go on is told to", async () => {
  const { server, connect } = serving();
  const connection = await connect();
  const [head, content] = POST.replace("Host: x", "Host: x\r\nExpect: 100-continue").split("12");
  await send(connection, head!);
  assertEquals(await received(connection), "HTTP/1.1 100 Continue\r\n\r\n");
  await send(connection, `12${content}`);
  assertMatch(await received(connection), /\r\n\r\n12345678$/);
  connection.close();
  await server.close();
});

for (
  const [length, status] of [
    ["Content-Length: 9", 413],
    ["Content-Length: 999999999999999", 413],
    ["Content-Length: 9999999999999999", 400],
    ["Content-Length: -1", 400],
    ["Content-Length: 1, 1", 400],
    ["Content-Length: 0x8", 400],
    ["Content-Length: 8\r\nTransfer-Encoding: chunked", 400],
    ["Transfer-Encoding: chunked", 411],
  ] as const
) {
  Deno.test(`http server: content with ${JSON.stringify(length)} is answered ${status}`, async () => {
    const answer = await answerTo(POST.replace("Content-Length: 8", length));
    assertMatch(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close\r\n\r\n$`));
  });
}

Deno.test("http server: a caller that sends less content than it said is closed in time", async () => {
  const { clock, server, connect } = serving();
  const connection = await connect();
  await send(connection, POST.slice(0, -1));
  assertEquals(await received(connection), "");
  await clock.advance(HTTP_SERVER_LIMITS.answerMs);
  await settled();
  assertEquals(await isClosed(connection), true);
  await server.close();
});

for (
  const text of [
    "\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/2\r\nHost: x\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nA: b\nc\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nA: b\0\r\n\r\n",
  ]
) {
  Deno.test(`http server: ${JSON.stringify(text)} is no request`, async () => {
    assertMatch(await answerTo(text + GET), /^HTTP\/1\.1 4(00|31) [^]*connection: close\r\n\r\n$/);
  });
}

for (const [more, status] of [[0, 200], [1, 431]] as const) {
  Deno.test(`http server: a head ${more} bytes beyond the limit is answered ${status}`, async () => {
    const start = "GET / HTTP/1.1\r\nHost: x\r\nA: ";
    const filler = "a".repeat(HTTP_SERVER_LIMITS.maxHeadBytes - start.length + more);
    assertMatch(await answerTo(`${start}${filler}\r\n\r\n`), new RegExp(`^HTTP/1\\.1 ${status} `));
  });
}

Deno.test("http server: who never finishes a request is closed in time, however it drips", async () => {
  const { server, clock, connect } = serving({ requestMs: 1_000 });
  const [silent, dripping] = [await connect(), await connect()];
  for (let i = 0; i < 9; i++) {
    await send(dripping, "GET / HTT"[i]!);
    await clock.advance(100);
  }
  assertEquals([await isClosed(silent), await isClosed(dripping)], [false, false]);
  await clock.advance(100);
  assertEquals([await isClosed(silent), await isClosed(dripping)], [true, true]);
  await server.close();
});

Deno.test("http server: who never takes an answer is closed in time", async () => {
  const { server, clock, connect } = serving({ answerMs: 1_000 }, "b".repeat(200_000));
  const connection = await connect();
  await send(connection, GET);
  await clock.advance(999);
  assertEquals(await isClosed(connection), false);
  await clock.advance(1);
  assertEquals(await isClosed(connection), true);
  await server.close();
});

Deno.test("http server: a table full of silent callers still serves an honest one", async () => {
  const { server, asked, connect } = serving({ maxConnections: 4, maxConnectionsPerAddress: 2 });
  const silent: FakeConnection[] = [];
  for (let i = 0; i < 20; i++) silent.push(await connect(`198.51.100.${i}`));
  const honest = await connect();
  await send(honest, GET);
  assertEquals(asked.length, 1);
  const open = (await Promise.all(silent.map(isClosed))).filter((closed) => !closed).length;
  assertEquals(open, 3);
  await server.close();
});

Deno.test("http server: a lack of descriptors and a caller that resets do not end it", async () => {
  const { server, clock, listener, asked, connect } = serving();
  listener.push(new WorldError("exhausted", "Too many open files (os error 24)"));
  listener.push(new WorldError("other", "Transport endpoint is not connected (os error 107)"));
  const connection = await connect();
  await clock.advance(HTTP_SERVER_LIMITS.acceptRetryMs);
  await send(connection, GET);
  assertEquals(asked.length, 1);
  await server.close();
});

Deno.test("http server: a lack is told, again after a minute; a caller that resets is not", async () => {
  const { server, clock, listener, lacks, connect } = serving();
  const lack = new WorldError("exhausted", "Too many open files (os error 24)");
  // A connection between any two, so that each is a lack that has just begun.
  async function lacking(): Promise<void> {
    listener.push(lack);
    (await connect()).close();
    await clock.advance(HTTP_SERVER_LIMITS.acceptRetryMs);
  }
  listener.push(new WorldError("other", "Transport endpoint is not connected (os error 107)"));
  await settled();
  assertEquals(lacks, []);
  for (let i = 0; i < 3; i++) await lacking();
  assertEquals(lacks.length, 1, lacks.join("\n"));
  assertMatch(lacks[0]!, /cannot accept a connection: Too many open files .*again every 250 ms/);
  await clock.advance(TELL_LACK_AGAIN_MS);
  await lacking();
  assertEquals(lacks.length, 2);
  await server.close();
});

Deno.test("http server: closing waits for an answer under way, not for ever, and for nobody idle", async () => {
  const { server, clock, connect } = serving({ closeMs: 500 }, "b".repeat(200_000));
  const [idle, busy] = [await connect(), await connect()];
  await send(busy, GET);
  let isOver = false;
  const closing = server.close().then(() => isOver = true);
  await clock.advance(499);
  assertEquals([await isClosed(idle), isOver], [true, false]);
  await clock.advance(1);
  await closing;
  assertEquals([await isClosed(busy), clock.pending], [true, 0]);
});

Deno.test("http server: a head of blanks that ends badly takes no time to refuse", () => {
  for (const blank of [" ", "\t", " \t", "a "]) {
    const times = [4_000, 8_000].map((length) => {
      const line = `x-a:${blank.repeat(length / blank.length)}\x00`;
      const start = performance.now();
      for (let i = 0; i < 20; i++) {
        assertEquals(parseRequestHead(`GET / HTTP/1.1\r\nhost: x\r\n${line}`), undefined);
      }
      return performance.now() - start;
    });
    assert(times[1]! < 2_000, `${times}`);
  }
});

Deno.test("http server: spaces and tabs around a value are no part of it", () => {
  const head = parseRequestHead(
    "GET / HTTP/1.1\r\nhost: x\r\nx-a: \t b \t c\t \r\nx-b:\r\nx-c: \t",
  );
  assertEquals(["x-a", "x-b", "x-c"].map((name) => head?.headers.get(name)), ["b \t c", "", ""]);
});
