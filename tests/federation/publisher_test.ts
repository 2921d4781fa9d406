/** Publishers over real sockets: honest ones, and those that answer whatever they like. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HttpPublisher } from "../../src/federation/publisher.ts";
import {
  formatProvenHead,
  formatRecords,
  formatStatus,
  mirrorId,
  parseProofQuery,
  parseRecordsQuery,
} from "../../src/federation/wire.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { NO_CONTACT } from "../../src/world/http_client.ts";
import type { HttpAnswer, HttpQuery } from "../../src/world/world.ts";
import { world } from "../world/helpers.ts";
import { Mirrored, ShownJournal, signer, texts } from "./shown_journal.ts";

type Answering = (query: HttpQuery) => Promise<HttpAnswer> | HttpAnswer;

/** Serves, and gives the publisher of what is served. */
async function served(
  answer: Answering,
  use: (publisher: HttpPublisher, url: string) => Promise<void>,
): Promise<void> {
  const address = { hostname: "127.0.0.1", port: 0 };
  const server = world.http.serve(
    address,
    (query) => Promise.resolve(answer(query)),
    () => {},
  );
  const url = `http://127.0.0.1:${server.address.port}`;
  try {
    const vkey = signer.vkey;
    await use(new HttpPublisher({ world, base: url, contact: NO_CONTACT, vkey }), url);
  } finally {
    await server.close();
  }
}

const ok = (text: string | Uint8Array<ArrayBuffer>): HttpAnswer => ({
  status: 200,
  body: typeof text === "string" ? utf8(text) : text,
});

/** Answers as a monitor does. */
function honest(journal: ShownJournal): Answering {
  return async ({ path, search }) => {
    switch (path) {
      case "/status":
        return ok(formatStatus(await journal.status()));
      case "/consistency-proof":
        return ok(formatProvenHead(await journal.proof(parseProofQuery(search))));
      case "/records":
        return ok(formatRecords(await journal.records(parseRecordsQuery(search))));
    }
    return { status: 404 };
  };
}

Deno.test("publisher: a journal is mirrored over HTTP, from nothing and by increments", async () => {
  const journal = new ShownJournal().grow(1_200);
  await served(honest(journal), async (publisher) => {
    const mirrored = new Mirrored();
    assertEquals((await mirrored.mirror.sync(publisher)).received, 1_200n);
    journal.grow(3);
    assertEquals((await mirrored.mirror.sync(publisher)).received, 3n);
    assertEquals(await mirrored.lines(), texts(journal.lines));
  });
});

Deno.test("publisher: a mirror of a mirror, by its static files, has the exact lines", async () => {
  const journal = new ShownJournal().grow(700);
  const first = new Mirrored();
  await first.mirror.sync(journal);
  const prefix = `/mirrors/${mirrorId(signer.vkey.name)}/`;
  const files: Answering = async ({ path }) => {
    const file = path.startsWith(prefix)
      ? await first.mirror.file(path.slice(prefix.length))
      : undefined;
    return file === undefined ? { status: 404 } : ok(file);
  };
  await served(files, async (_, url) => {
    const [base, vkey] = [url + prefix, signer.vkey];
    const publisher = new HttpPublisher({ world, base, contact: NO_CONTACT, vkey });
    const second = new Mirrored();
    assertEquals((await second.mirror.sync(publisher)).received, 700n);
    journal.grow(100);
    await first.mirror.sync(journal);
    assertEquals((await second.mirror.sync(publisher)).received, 100n);
    assertEquals(await second.lines(), texts(journal.lines));
    assertEquals((await second.mirror.sync(publisher)).outcome, "up to date");
  });
});

Deno.test("publisher: an entry that no bundle holds cannot be mirrored from static files, and that is told", async () => {
  const first = new Mirrored();
  await first.mirror.sync(new ShownJournal().grow(1).add({ long: "x".repeat(70_000) }));
  const files: Answering = async ({ path }) => {
    const file = await first.mirror.file(path.slice(1));
    return file === undefined ? { status: 404 } : ok(file);
  };
  await served(files, async (publisher) => {
    const { outcome, error } = await new Mirrored().mirror.sync(publisher);
    assertEquals(outcome, "unavailable");
    assertStringIncludes(error!, "entry 1 is longer than a bundle can hold");
  });
});

const DEEP = `{"origin":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;

const HOSTILE: readonly [what: string, outcome: string, answer: Answering][] = [
  ["garbage", "refused", () => ok(crypto.getRandomValues(new Uint8Array(4_096)))],
  ["nothing at all", "refused", () => ok("")],
  ["deep JSON", "refused", () => ok(DEEP)],
  ["a string without an end", "refused", () => ok(`{"origin":"${"x".repeat(1_000_000)}`)],
  ["a huge answer", "refused", () => ok(new Uint8Array(40 * 1024 * 1024))],
  ["a page of a captive portal", "refused", () => ok("<html>Welcome</html>")],
  [
    "a redirect in circles",
    "unavailable",
    () => ({ status: 302, headers: { location: "?again" } }),
  ],
  ["a redirect to no web address", "unavailable", () => ({
    status: 302,
    headers: { location: "file:///etc/passwd" },
  })],
  ["a server error", "unavailable", () => ({ status: 500 })],
  ["a pause", "unavailable", () => ({ status: 503, headers: { "retry-after": "7" } })],
];

for (const [what, outcome, answer] of HOSTILE) {
  Deno.test(`publisher: ${what} in place of a status: ${outcome}`, async () => {
    await served(answer, async (publisher) => {
      const mirrored = new Mirrored();
      const report = await mirrored.mirror.sync(publisher);
      assertEquals([report.outcome, report.after], [outcome, 0n]);
      if (what === "a pause") assert(report.retryAfterMs! > 5_000);
    });
  });
}

for (const [what, outcome, answer] of HOSTILE) {
  Deno.test(`publisher: ${what} in place of records: ${outcome}`, async () => {
    const journal = new ShownJournal().grow(4);
    const rest = honest(journal);
    const hostile: Answering = (query) => query.path === "/records" ? answer(query) : rest(query);
    await served(hostile, async (publisher) => {
      const mirrored = new Mirrored();
      const report = await mirrored.mirror.sync(publisher);
      assertEquals([report.outcome, report.after], [outcome, 0n]);
      // What it answers later is taken.
      const { outcome: then } = await mirrored.mirror.sync(journal);
      assertEquals(then, "synced");
    });
  });
}

Deno.test("publisher: one that sends without an end, or nothing, is left at the limits", async () => {
  const clock = { ...world.clock };
  // A minute passes at once.
  clock.after = (ms, run) => world.clock.after(ms / 300, run);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const connections: Deno.Conn[] = [];
  let isEndless = true;
  const serving = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
      await connection.write(utf8(head)).catch(() => {});
      const chunk = utf8(`10000\r\n${" ".repeat(0x10000)}\r\n`);
      void (async () => {
        try {
          while (isEndless) await connection.write(chunk);
        } catch { /* it has hung up */ }
      })();
    }
  })();
  const base = `http://127.0.0.1:${port}`;
  try {
    const publisher = new HttpPublisher({
      ...{ world, base, contact: NO_CONTACT, vkey: signer.vkey },
    });
    assertEquals((await new Mirrored().mirror.sync(publisher)).outcome, "refused");
    isEndless = false;
    const impatient = new HttpPublisher({
      world: {
        clock,
        http: {
          ...world.http,
          request: (asked) => world.http.request({ ...asked, timeoutMs: asked.timeoutMs / 300 }),
        },
      },
      ...{ base, contact: NO_CONTACT, vkey: signer.vkey },
    });
    const { outcome, error } = await new Mirrored().mirror.sync(impatient);
    assertEquals(outcome, "unavailable");
    assertStringIncludes(error!, "status");
  } finally {
    listener.close();
    for (const connection of connections) connection.close();
    await serving;
  }
});
