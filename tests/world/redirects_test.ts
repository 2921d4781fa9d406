/** Where whoever answers may lead a monitor by a redirect. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { utf8 } from "../../src/tlog/encoding.ts";
import { HttpClient } from "../../src/world/http_client.ts";
import { MAX_LOCATION_CHARACTERS, MAX_REDIRECTS } from "../../src/world/redirects.ts";
import { WorldError } from "../../src/world/world.ts";
import { type Answer, fakeWorld } from "../sources/fake_http.ts";

const ANY = { maxBytes: 100 };
const TIMEOUT_MS = 15_000;
const PUBLIC = "203.0.114.7";
const ADDRESSES = {
  "log.example": [PUBLIC],
  "cdn.example": [PUBLIC, "2606:4700::1111"],
  "to-loopback.example": ["127.0.0.1"],
  "to-both.example": [PUBLIC, "::1"],
  "to-network.example": ["10.0.0.1"],
  "to-nowhere-known.example": ["an address of tomorrow"],
  "mapped.example": ["::ffff:192.168.0.1"],
};

/** A service that answers by whole URL; what it does not know says `hello`. */
function serviceAt(source: string, answers: Readonly<Record<string, Answer | string>>) {
  const { world, requests } = fakeWorld((_path, { url }) => {
    const answer = answers[url];
    if (answer === undefined) return { body: "hello" };
    return typeof answer === "string" ? { status: 302, headers: { location: answer } } : answer;
  }, ADDRESSES);
  const client = new HttpClient({ world, contact: "x", timeoutMs: TIMEOUT_MS });
  const ask = (conditional = false) =>
    client.get({ url: `${source}checkpoint`, ...ANY, conditional });
  /** The content, which must be there. */
  async function get(conditional = false): Promise<Uint8Array> {
    const result = await ask(conditional);
    assert(result.kind === "content", result.kind);
    return result.body;
  }
  return { requests, ask, get };
}

/** A source that redirects its checkpoint, and what comes of it. */
async function redirected(source: string, location: string) {
  const { get, requests } = serviceAt(source, { [`${source}checkpoint`]: location });
  const body = await get().catch((error) => {
    if (!(error instanceof WorldError)) throw error;
    return error.message;
  });
  return { body, asked: requests.slice(1).map(({ url }) => url) };
}

Deno.test("redirect: none leads from the internet to this machine or its network", async () => {
  const hosts = [
    ...["127.0.0.1", "127.1", "2130706433", "0.0.0.0", "localhost", "LOCALHOST.", "a.localhost"],
    ...["[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"],
    ...["169.254.169.254", "[fe80::1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"],
    ...["[fd00::1]", "[::ffff:10.0.0.1]", "printer.local", "metadata.internal", "intranet"],
    // And by what the name leads to, be it one address of several.
    ...["to-loopback.example", "to-both.example", "to-network.example", "mapped.example"],
    ...["to-nowhere-known.example"],
  ];
  for (const source of ["https://log.example/", "http://log.example/"]) {
    for (const host of hosts) {
      for (const scheme of ["http", "https"]) {
        const { body, asked } = await redirected(source, `${scheme}://${host}:8080/admin?x=1`);
        assertStringIncludes(String(body), "it redirects to", host);
        assertEquals(asked, [], host);
      }
    }
  }
});

Deno.test("redirect: a name nobody can look up is not asked, for it may be near", async () => {
  const { body, asked } = await redirected("https://log.example/", "https://unknown.example/");
  assertStringIncludes(
    String(body),
    "unknown.example, whose address was not found: getaddrinfo ENOTFOUND",
  );
  assertEquals(asked, []);
});

Deno.test("redirect: the refusal holds at each of several redirects", async () => {
  const { get, requests } = serviceAt("https://log.example/", {
    "https://log.example/checkpoint": "https://cdn.example/one",
    "https://cdn.example/one": "/two",
    "https://cdn.example/two": "http://127.0.0.1/",
  });
  await assertRejects(() => get(), WorldError, "127.0.0.1, on this machine");
  assertEquals(requests.length, 3);
});

Deno.test("redirect: leads as near as the source was configured to be, and no nearer", async () => {
  const steps: [source: string, location: string, isFollowed: boolean][] = [
    ["http://127.0.0.1:8080/", "http://127.0.0.1:8081/x", true],
    ["http://[::1]/", "http://localhost/x", true],
    ["http://localhost/", "http://10.0.0.1/x", true],
    ["http://localhost/", "https://unknown.example/x", true],
    ["http://10.0.0.1/", "http://192.168.0.1/x", true],
    ["http://log.internal/", "http://10.0.0.1/x", true],
    ["http://10.0.0.1/", "http://to-network.example/x", true],
    ["http://10.0.0.1/", "http://127.0.0.1/x", false],
    ["http://10.0.0.1/", "http://169.254.169.254/x", false],
    ["http://10.0.0.1/", "http://to-loopback.example/x", false],
    ["http://log.internal/", "http://localhost/x", false],
    // What a name of the internet leads to is the word of whoever owns it.
    ["http://to-network.example/", "http://to-network.example/x", false],
    ["http://to-loopback.example/", "http://127.0.0.1/x", false],
    // But over TLS, whoever answers for the same name has its certificate.
    ["https://to-network.example/", "https://to-network.example/x", true],
    ["http://to-network.example/", "https://to-network.example/x", true],
  ];
  for (const [source, location, isFollowed] of steps) {
    const { body, asked } = await redirected(source, location);
    const message = `${source} to ${location}`;
    assertEquals(asked, isFollowed ? [location] : [], message);
    if (isFollowed) assertEquals(body, utf8("hello"), message);
  }
});

Deno.test("redirect: a plain connection goes to the address that was looked at", async () => {
  // Whoever owns the name could have it lead here when it is looked up again.
  for (const [location, address] of [["http", PUBLIC], ["https", undefined]] as const) {
    const { get, requests } = serviceAt("https://log.example/", {
      "https://log.example/checkpoint": `${location}://cdn.example/x`,
    });
    assertEquals(await get(), utf8("hello"));
    assertEquals(requests.map((request) => request.address), [undefined, address]);
  }
});

Deno.test("redirect: every kind is followed, by the place it names from where it stands", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    const { get, requests } = serviceAt("https://log.example/a/", {
      "https://log.example/a/checkpoint": { status, headers: { location: "../b/checkpoint#top" } },
    });
    assertEquals(await get(), utf8("hello"));
    assertEquals(requests.map(({ url }) => url), [
      "https://log.example/a/checkpoint",
      "https://log.example/b/checkpoint",
    ]);
  }
});

Deno.test("redirect: one without a place, or of no kind that is followed, is a refusal", async () => {
  const others: Answer[] = [301, 302, 303, 307, 308].map((status) => ({ status }));
  for (const status of [201, 300, 304, 305, 306]) {
    others.push({ status, headers: { location: "https://log.example/b" } });
  }
  for (const answer of others) {
    const { ask, requests } = serviceAt("https://log.example/", {
      "https://log.example/checkpoint": answer,
    });
    const { status = 200 } = answer;
    assertEquals(await ask(), { kind: "refused", status, retryAfterMs: undefined });
    assertEquals(requests.length, 1);
  }
});

Deno.test("redirect: what is no web address is not followed", async () => {
  const fits = `https://log.example/${"x".repeat(MAX_LOCATION_CHARACTERS - 20)}`;
  assertEquals(fits.length, MAX_LOCATION_CHARACTERS);
  assertEquals((await redirected("https://log.example/", fits)).asked.length, 1);
  const others = ["file:///etc/passwd", "data:,x", "ftp://log.example/", "https://", `${fits}x`];
  for (
    const location of [...others, "https://name:secret@log.example/", "https://name@a.example"]
  ) {
    const { body, asked } = await redirected("https://log.example/", location);
    assertStringIncludes(String(body), "which is no web address", location);
    assertEquals(asked, []);
  }
});

Deno.test("redirect: only so many are followed", async () => {
  for (const redirects of [MAX_REDIRECTS, MAX_REDIRECTS + 1]) {
    const answers: Record<string, Answer | string> = {
      "https://log.example/checkpoint": "https://log.example/1",
    };
    for (let i = 1; i < redirects; i++) {
      answers[`https://log.example/${i}`] = `https://log.example/${i + 1}`;
    }
    const { get, requests } = serviceAt("https://log.example/", answers);
    if (redirects <= MAX_REDIRECTS) assertEquals(await get(), utf8("hello"));
    else await assertRejects(() => get(), WorldError, `more than ${MAX_REDIRECTS} times`);
    assertEquals(requests.length, MAX_REDIRECTS + 1);
  }
});

Deno.test("redirect: all of them share the time of one request", async () => {
  let now = 1_000;
  const { world, requests } = fakeWorld((_path, { url }) => {
    now += TIMEOUT_MS / 2;
    return { status: 302, headers: { location: `${url}x` } };
  });
  const clock = { ...world.clock, monotonic: () => now };
  const client = new HttpClient({
    world: { ...world, clock },
    contact: "x",
    timeoutMs: TIMEOUT_MS,
  });
  const get = () => client.get({ url: "https://log.example/checkpoint", ...ANY });
  await assertRejects(get, WorldError, "no answer within");
  assertEquals(requests.map(({ timeoutMs }) => timeoutMs), [
    TIMEOUT_MS,
    TIMEOUT_MS / 2,
  ]);
});

Deno.test("redirect: conditions, size and who asks go along", async () => {
  const etag = '"1"';
  const answers: Record<string, Answer | string> = {
    "https://log.example/checkpoint": "https://cdn.example/x",
    "https://cdn.example/x": { body: "one", headers: { etag } },
  };
  const { get, requests } = serviceAt("https://log.example/", answers);
  assertEquals(await get(true), utf8("one"));
  answers["https://cdn.example/x"] = { status: 304 };
  assertEquals(await get(true), utf8("one"));
  const [, , , last] = requests;
  assert(last !== undefined && last.maxBytes === ANY.maxBytes);
  assertEquals(last.headers, { ...requests[0]!.headers, "if-none-match": etag });
});
