import { assert, assertEquals, assertThrows } from "@std/assert";
import { CELL_BYTES, CELL_ROOM, CellOpener, CellSealer } from "../../src/swarm/cell.ts";
import { CipherState } from "../../src/swarm/noise.ts";
import { SessionFault } from "../../src/swarm/session_fault.ts";
import { CHACHA_POLY } from "../../src/world/aead.ts";
import { flipped } from "../conformance/vectors.ts";

const KEY = new Uint8Array(32).fill(7);
const state = () => new CipherState(CHACHA_POLY, KEY);
const numbered = (count: number) => Uint8Array.from({ length: count }, (_, i) => i);

function refusal(opener: CellOpener, cell: Uint8Array): [kind: string, message: string] {
  const { kind, message } = assertThrows(() => opener.open(cell), SessionFault);
  return [kind, message];
}

Deno.test("cell: bytes are sealed into as few cells as hold them, all of one size", () => {
  for (const [bytes, cells] of [[0, 1], [1, 1], [CELL_ROOM, 1], [CELL_ROOM + 1, 2], [5_000, 5]]) {
    const sealed = new CellSealer(state()).seal(numbered(bytes!));
    assertEquals(sealed.length, cells! * CELL_BYTES);
    const opener = new CellOpener(state());
    const opened: number[] = [];
    for (let at = 0; at < sealed.length; at += CELL_BYTES) {
      opened.push(...opener.open(sealed.subarray(at, at + CELL_BYTES)));
    }
    assertEquals(Uint8Array.from(opened), numbered(bytes!));
  }
});

Deno.test("cell: one with any byte changed does not open", () => {
  const cell = new CellSealer(state()).seal(numbered(600));
  const opener = new CellOpener(state());
  for (let at = 0; at < CELL_BYTES; at++) {
    assertEquals(refusal(opener, flipped(cell, at))[0], "changed", `byte ${at}`);
  }
  assertEquals(opener.open(cell), numbered(600));
});

Deno.test("cell: one that is repeated, early, cut or longer does not open", () => {
  const sealer = new CellSealer(state());
  const [first, second] = [sealer.seal(numbered(1)), sealer.seal(numbered(2))];
  const opener = new CellOpener(state());
  assertEquals(refusal(opener, second)[0], "changed", "early");
  assertEquals(opener.open(first), numbered(1));
  assertEquals(refusal(opener, first)[0], "changed", "repeated");
  assertEquals(refusal(opener, second.slice(0, -1))[0], "changed", "cut");
  assertEquals(refusal(opener, Uint8Array.of(...second, 0))[0], "changed", "longer");
  assertEquals(opener.open(second), numbered(2));
});

/** A cell of this plaintext. */
function sealedOf(used: number, fill: (plain: Uint8Array) => void = () => {}): Uint8Array {
  const plain = new Uint8Array(2 + CELL_ROOM);
  new DataView(plain.buffer).setUint16(0, used);
  fill(plain);
  return state().seal(plain);
}

Deno.test("cell: it may carry nothing, is filled with zeros, and says no more than it has", () => {
  assertEquals(new CellOpener(state()).open(sealedOf(0)).length, 0);
  assertEquals(new CellOpener(state()).open(sealedOf(CELL_ROOM)).length, CELL_ROOM);
  const [kind, message] = refusal(new CellOpener(state()), sealedOf(CELL_ROOM + 1));
  assertEquals(kind, "malformed");
  assert(message.includes("1007 bytes are used"), message);
  for (const at of [3, 500, CELL_ROOM + 1]) {
    const cell = sealedOf(1, (plain) => plain[at] = 1);
    const [kind, message] = refusal(new CellOpener(state()), cell);
    assertEquals(kind, "malformed");
    assert(message.includes("zeros"), message);
  }
  assertEquals(new CellOpener(state()).open(sealedOf(1, (plain) => plain[2] = 9))[0], 9);
});

Deno.test("cell: after 4,096 cells, and not before, the key is another", () => {
  const [sealer, opener, kept] = [new CellSealer(state()), new CellOpener(state()), state()];
  const openKept = (cell: Uint8Array) => kept.open(cell) !== undefined;
  for (let i = 0; i < 4_096; i++) {
    const cell = sealer.seal(numbered(1));
    opener.open(cell);
    assert(openKept(cell), `cell ${i} is sealed with the first key`);
  }
  const cell = sealer.seal(numbered(3));
  assert(!openKept(cell));
  assertEquals(opener.open(cell), numbered(3));
  kept.rekey();
  assert(openKept(cell), "Noise's own rule, and the number goes on");
});

Deno.test("cell: ends that rekey at different cells do not understand each other", () => {
  const [sealer, opener] = [new CellSealer(state(), 2), new CellOpener(state(), 3)];
  for (let i = 0; i < 2; i++) opener.open(sealer.seal(numbered(1)));
  assertEquals(refusal(opener, sealer.seal(numbered(1)))[0], "changed");
});
