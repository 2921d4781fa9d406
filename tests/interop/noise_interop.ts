/**
 * Sessions with a member that is a program in Go, over github.com/flynn/noise: it calls and is called,
 * pings, sends a stream back and forth, and both directions take a new key on the way.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  answerSession,
  callSession,
  KIND,
  newStaticKey,
  type Session,
  SessionFault,
  type SessionParty,
} from "../../src/swarm/session.ts";
import type { Connection } from "../../src/world/world.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { readAll } from "../swarm/sessions.ts";
import { world } from "../world/helpers.ts";
import { buildOwn, interopTest, shell } from "./go.ts";

/** More than the cells of one key hold. */
const BYTES = 5_000_000;
const CELLS_PER_KEY = 4_096;
const SEED = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NAME = "go.example";

const PEER = await buildOwn("noise");

async function partyOf(name: string, seed?: string): Promise<SessionParty> {
  const { clock, random } = world;
  const bytes = seed === undefined ? random.bytes(32) : Uint8Array.fromHex(seed);
  const { signer } = await generateSigner({
    world: { ...world, random: { bytes: () => bytes } },
    name,
  });
  return { clock, random, signer, staticKey: newStaticKey(random) };
}

const peer = (await partyOf(NAME, SEED)).signer.vkey;

/** What the program in Go counted. */
function cellsOf(out: string): [sent: number, read: number] {
  const [, sent, read] = /sent (\d+) cells, read (\d+)/.exec(out)!;
  return [Number(sent), Number(read)];
}

async function echo(stream: Connection): Promise<void> {
  const buffer = new Uint8Array(50_000);
  for (let count; (count = await stream.read(buffer)) !== undefined;) {
    await stream.write(buffer.slice(0, count));
  }
  stream.close();
}

async function kindsOf(session: Session): Promise<number[]> {
  return (await Array.fromAsync(session.messages())).map(({ kind }) => kind);
}

interopTest(PEER, "noise: a member in Go calls, over more cells than one key", async (program) => {
  const party = await partyOf("callee.example");
  const listener = world.network.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.address;
  const line = '"$1" call "127.0.0.1:$2" "$3" "$4" "$5" "$6"';
  const arguments_ = [`${port}`, SEED, NAME, party.signer.vkey.text, `${BYTES}`];
  const called = shell(line, program, ...arguments_);
  const connection = (await listener.accept())!;
  listener.close();
  const session = await answerSession({
    ...{ party, connection, speaksToStrangers: false },
    admits: (vkey) => vkey.text === peer.text,
    onStream: (stream) => void echo(stream).catch(() => {}),
  });
  assertEquals(session.member.text, peer.text);
  assertEquals(await kindsOf(session), [KIND.bye]);
  assertEquals((await session.closed).kind, "closed");
  assert(session.roundTripMs !== undefined);
  const { code, out, err } = await called;
  assertEquals([code, err], [0, ""]);
  assert(cellsOf(out).every((cells) => cells > CELLS_PER_KEY), out);
});

/** Starts the program as a callee, and connects to it. */
async function answered(program: string, broken = "no") {
  const process = new Deno.Command("sh", {
    args: ["-c", 'exec "$0" answer - "$1" "$2" "$3"', program, SEED, NAME, broken],
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  const [port, ...more] = new TextDecoder().decode(value).split("\n");
  const connection = await world.network.connect(
    { hostname: "127.0.0.1", port: Number(port) },
    1_000,
  );
  const ended = async () => {
    let out = more.join("\n");
    for (let next; !(next = await reader.read()).done;) out += new TextDecoder().decode(next.value);
    const { code } = await process.status;
    return { code, out, err: await new Response(process.stderr).text() };
  };
  return { connection, ended };
}

interopTest(
  PEER,
  "noise: a member in Go answers, over more cells than one key",
  async (program) => {
    const party = await partyOf("caller.example");
    const { connection, ended } = await answered(program);
    const session = await callSession({ party, connection, expected: peer, onStream: () => {} });
    const stream = await session.open();
    const sent = Uint8Array.from({ length: BYTES }, (_, i) => i * 13 + (i >> 9));
    const writing = stream.write(sent).then(() => stream.closeWrite());
    const heard = await readAll(stream);
    await writing;
    assertEquals(heard.length, sent.length);
    assert(heard.every((byte, i) => byte === sent[i]));
    assertEquals(await kindsOf(session), [KIND.bye]);
    assert(session.roundTripMs !== undefined);
    const { code, out, err } = await ended();
    assertEquals([code, err], [0, ""]);
    assert(cellsOf(out).every((cells) => cells > CELLS_PER_KEY), out);
    assertStringIncludes(out, party.signer.vkey.text);
  },
);

interopTest(
  PEER,
  "noise: a member in Go that proves the wrong role is refused",
  async (program) => {
    const party = await partyOf("caller.example");
    const { connection, ended } = await answered(program, "role");
    const fault = await assertRejects(
      () => callSession({ party, connection, expected: peer, onStream: () => {} }),
      SessionFault,
      "not that of go.example as callee",
    );
    assertEquals(fault.kind, "unproven");
    assertEquals((await ended()).code, 1);
  },
);

interopTest(PEER, "noise: a stranger in Go gets no answer to its proof", async (program) => {
  const party = await partyOf("callee.example");
  const listener = world.network.listen({ hostname: "127.0.0.1", port: 0 });
  const line = '"$1" call "127.0.0.1:$2" "$3" "$4" "$5" 1';
  const called = shell(
    ...[line, program, `${listener.address.port}`, SEED, NAME, party.signer.vkey.text] as const,
  );
  const connection = (await listener.accept())!;
  listener.close();
  const fault = await assertRejects(
    () =>
      answerSession({
        ...{ party, connection, speaksToStrangers: false, onStream: () => {} },
        admits: () => false,
      }),
    SessionFault,
  );
  assertEquals(fault.kind, "unknown");
  const { code, err } = await called;
  assertEquals([code, err.trim()], [1, "EOF"]);
});
