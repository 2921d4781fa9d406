// Checks and makes cosignatures with two other implementations.
//
//	cosignatures note VKEY FILE
//	cosignatures subtree VKEY ORIGIN START END HASH LINE
//	cosignatures sign KEY ORIGIN START END HASH
//
// The first two print a line for each verifier that accepts, and end with 1 if one does not. The third
// prints the signature line of each signer on the subtree; KEY is the text of an ML-DSA-44 private key.
package main

import (
	"crypto/mldsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 4 {
		fail("usage", "note VKEY FILE, subtree VKEY …, or sign KEY …")
	}
	key, args := os.Args[2], os.Args[3:]
	switch os.Args[1] {
	case "note":
		openNote(key, args[0])
	case "subtree":
		openSubtree(key, readSubtree(args), args[4]+"\n")
	case "sign":
		signSubtree(key, readSubtree(args))
	default:
		fail("usage", os.Args[1])
	}
}

type subtree struct {
	origin     string
	start, end int64
	hash       tlog.Hash
}

func readSubtree(args []string) subtree {
	start, err := strconv.ParseInt(args[1], 10, 64)
	check("start", err)
	end, err := strconv.ParseInt(args[2], 10, 64)
	check("end", err)
	hash, err := tlog.ParseHash(args[3])
	check("hash", err)
	return subtree{args[0], start, end, hash}
}

func openNote(vkey, path string) {
	text, err := os.ReadFile(path)
	check("read", err)
	v, err := f_note.NewVerifierForCosignatureV1(vkey)
	check("formats", err)
	_, err = note.Open(text, note.VerifierList(v))
	check("formats", err)
	fmt.Println("formats")
	w, err := torchwood.NewCosignatureVerifier(vkey)
	check("torchwood", err)
	_, err = note.Open(text, note.VerifierList(w))
	check("torchwood", err)
	fmt.Println("torchwood")
}

func signSubtree(key string, s subtree) {
	f, err := f_note.NewMLDSASigner(key)
	check("formats", err)
	signature, err := f.SignSubtree(0, s.origin, uint64(s.start), uint64(s.end), s.hash[:])
	check("formats", err)
	payload := append(binary.BigEndian.AppendUint32(nil, f.KeyHash()), signature...)
	fmt.Printf("— %s %s\n", f.Name(), base64.StdEncoding.EncodeToString(payload))

	// PRIVATE+KEY+name+id+base64(type byte, seed)
	fields := strings.SplitN(key, "+", 5)
	typed, err := base64.StdEncoding.DecodeString(fields[4])
	check("key", err)
	private, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), typed[1:])
	check("key", err)
	t, err := torchwood.NewCosignatureSigner(fields[2], private)
	check("torchwood", err)
	line, err := t.SignSubtree(s.origin, s.start, s.end, s.hash)
	check("torchwood", err)
	fmt.Print(string(line))
}

func openSubtree(vkey string, s subtree, line string) {
	fields := strings.Fields(line)
	payload, err := base64.StdEncoding.DecodeString(fields[len(fields)-1])
	check("line", err)
	v, err := f_note.NewMLDSAVerifier(vkey)
	check("formats", err)
	if binary.BigEndian.Uint32(payload) != v.KeyHash() {
		fail("formats", "another key")
	}
	if !v.VerifySubtree(0, s.origin, uint64(s.start), uint64(s.end), s.hash[:], payload[4:]) {
		fail("formats", "the signature does not hold")
	}
	fmt.Println("formats")
	w, err := torchwood.NewCosignatureVerifier(vkey)
	check("torchwood", err)
	if !w.VerifySubtree(s.origin, s.start, s.end, s.hash, []byte(line)) {
		fail("torchwood", "the signature does not hold")
	}
	fmt.Println("torchwood")
}

func check(who string, err error) {
	if err != nil {
		fail(who, err.Error())
	}
}

func fail(who, why string) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", who, why)
	os.Exit(1)
}
