import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { utf8 } from "../../src/tlog/encoding.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { openSource } from "../../src/sources/open.ts";
import { SigsumSource } from "../../src/sources/sigsum.ts";
import { SourceUnavailable } from "../../src/sources/source.ts";
import { treeHeadLog } from "../tlog/log_signers.ts";
import { inFolder, world as realWorld } from "../world/helpers.ts";
import { fakeWorld } from "./fake_http.ts";

const SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
const SIGSUM =
  "sigsum.org/v1/tree/44ad38f8226ff9bd27629a41e55df727308d0a1cd8a2c31d3170048ac1dd22a1" +
  "+682b49db+AQ7H4WhDEZsSA3enOROsasvC0D2CQy4sNrhBsJqVhB8l";
const log = parseLog(SUMDB);

/** What a source asks first, for the latest. */
async function firstAsked(source: string, notation = SUMDB): Promise<string> {
  const { world, requests } = fakeWorld(() => ({ body: "x" }));
  await openSource({ world, log: parseLog(notation), source, contact: "x" }).latest()
    .catch((error) => assert(error instanceof SourceUnavailable));
  return requests[0]!.url;
}

Deno.test("openSource: the kind of a source is before its URL, tlog-tiles having none", async () => {
  assertEquals(await firstAsked("https://a.example/x/"), "https://a.example/x/checkpoint");
  assertEquals(await firstAsked("http://a.example/x"), "http://a.example/x/checkpoint");
  assertEquals(await firstAsked("sumdb+https://a.example"), "https://a.example/latest");
  assertEquals(await firstAsked("static-ct+https://a.example"), "https://a.example/checkpoint");
  assertEquals(
    await firstAsked("sigsum+http://a.example", SIGSUM),
    "http://a.example/get-tree-head",
  );
  assertEquals(
    await firstAsked("rfc6962+https://a.example/x", treeHeadLog("rsa").log.vkey.text),
    "https://a.example/x/ct/v1/get-sth",
  );
  assertEquals(
    await firstAsked("rekor-v1+https://a.example", `${SUMDB} a.example - 7`),
    "https://a.example/api/v1/log",
  );
});

Deno.test("openSource: a sigsum source is opened for the log of its key only", () => {
  const source = "sigsum+https://a.example";
  const { world } = fakeWorld(() => undefined);
  assert(
    openSource({ world, log: parseLog(SIGSUM), source, contact: "x" }) instanceof SigsumSource,
  );
  assertThrows(() => openSource({ world, log, source, contact: "x" }), MalformedError, "origin is");
});

Deno.test("openSource: a path is a folder with a tlog-tiles log", () =>
  inFolder(async (folder) => {
    const source = openSource({ world: realWorld, log, source: folder, contact: "x" });
    await assertRejects(() => source.latest(), SourceUnavailable, "checkpoint: it is not there");
    await Deno.writeTextFile(`${folder}/checkpoint`, "a note");
    assertEquals(await source.latest(), utf8("a note"));
  }));

Deno.test("openSource: folders may be relative, or on a Windows drive", () => {
  const { world } = fakeWorld(() => undefined);
  for (const source of ["./log", "../log", "log", "a/b c", "C:\\logs\\a", "./sumdb+log"]) {
    openSource({ world, log, source, contact: "x" });
  }
});

Deno.test("openSource: anything else is refused, and no password of a URL is shown", () => {
  const { world } = fakeWorld(() => undefined);
  const refused: [string, string][] = [
    ["", "expected https://…, http://…, a folder, sumdb+https://…"],
    ["ftp://a.example", "a folder"],
    ["file:///var/log", "a folder"],
    ["sumdb+/folder", "a folder"],
    ["sumdb+", "a folder"],
    ["rekor+https://a.example", "a folder"],
    ["sumdb+sigsum+https://a.example", "a folder"],
    ["HTTPS://a.example", "a folder"],
    ["https:a.example", "expected http://HOST"],
    ["https://", "expected http://HOST"],
    ["fol\u0000der", "a folder"],
    ["https://user:secret@a.example", "a name or password"],
    ["sumdb+https://a.example/?x", "no ? or #"],
  ];
  for (const [source, message] of refused) {
    const error = assertThrows(
      () => openSource({ world, log, source, contact: "x" }),
      MalformedError,
      message,
    );
    assert(error.message.startsWith("Cannot read source: "), error.message);
    assert(!error.message.includes("secret"));
  }
  assertThrows(
    () => openSource({ world, log, source: "https://a.example", contact: "a\nb" }),
    MalformedError,
    "contact is",
  );
});

Deno.test("openSource: a place of several is called by its URL, a folder by its number", () => {
  const { world } = fakeWorld(() => undefined);
  const places = [
    "sumdb+https://a.example/x",
    "/home/me/log",
    "http://b.example:8080",
  ];
  const source = openSource({ world, log, source: places, contact: "x" });
  assertEquals(source.parts!.map((part) => source.placeOf!(part)), [
    ...["https://a.example/x", "source 2, a folder", "http://b.example:8080"],
  ]);
});
