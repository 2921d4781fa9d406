// A member that knows of Hearsay what documents/PROTOCOL.md says, section 16, and nothing else. Its
// Noise is github.com/flynn/noise.
//
//	peer call HOST:PORT SEED NAME VKEY BYTES   calls, pings, and sends BYTES bytes over a stream,
//	                                           which must come back
//	peer answer - SEED NAME BREAK              prints its port, and sends back what comes on streams;
//	                                           BREAK is "no", or what it does wrong
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/flynn/noise"
)

const (
	domain      = "hearsay/session/v1\n"
	cellBytes   = 1024
	cellRoom    = 1006
	cellsPerKey = 4096
	window      = 65536
)

const (
	kindIdentity = 1
	kindOpen     = 3
	kindData     = 4
	kindEnd      = 5
	kindReset    = 6
	kindCredit   = 7
	kindPing     = 8
	kindPong     = 9
	kindBye      = 12
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Section 2.
func vkeyOf(name string, key ed25519.PublicKey) string {
	typed := append([]byte{1}, key...)
	id := sha256.Sum256(append([]byte(name+"\n"), typed...))
	return name + "+" + hex.EncodeToString(id[:4]) + "+" + base64.StdEncoding.EncodeToString(typed)
}

func keyOf(vkey string) (ed25519.PublicKey, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("no vkey: " + vkey)
	}
	typed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(typed) != 33 || typed[0] != 1 || vkeyOf(parts[0], typed[1:]) != vkey {
		return nil, errors.New("no vkey: " + vkey)
	}
	return typed[1:], nil
}

func signed(role string, hash, static []byte) []byte {
	encode := base64.StdEncoding.EncodeToString
	return []byte(domain + role + "\n" + encode(hash) + "\n" + encode(static) + "\n")
}

func openProof(proof []byte, role string, hash, static []byte) (string, error) {
	if len(proof) <= 64 {
		return "", errors.New("the proof is short")
	}
	vkey := string(proof[64:])
	key, err := keyOf(vkey)
	if err != nil {
		return "", err
	}
	if !ed25519.Verify(key, signed(role, hash, static), proof[:64]) {
		return "", errors.New("the signature is wrong")
	}
	return vkey, nil
}

// One direction of a session.
type direction struct {
	state *noise.CipherState
	cells int
}

func (d *direction) next() *noise.CipherState {
	if d.cells == cellsPerKey {
		d.state.Rekey()
		d.cells = 0
	}
	d.cells++
	return d.state
}

type session struct {
	conn      net.Conn
	sealing   direction
	opening   direction
	rest      []byte
	writing   sync.Mutex
	credits   chan uint32
	sentCells int
	readCells int
}

func (s *session) send(kind byte, parts ...[]byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	body := bytes.Join(parts, nil)
	message := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)))
	message = append(message, body...)
	for len(message) > 0 {
		used := min(len(message), cellRoom)
		plain := make([]byte, cellBytes-16)
		binary.BigEndian.PutUint16(plain, uint16(used))
		copy(plain[2:], message[:used])
		cell, err := s.sealing.next().Encrypt(nil, nil, plain)
		if err != nil {
			return err
		}
		if _, err := s.conn.Write(cell); err != nil {
			return err
		}
		s.sentCells++
		message = message[used:]
	}
	return nil
}

func (s *session) readCell() ([]byte, error) {
	cell := make([]byte, cellBytes)
	if _, err := io.ReadFull(s.conn, cell); err != nil {
		return nil, err
	}
	plain, err := s.opening.next().Decrypt(nil, nil, cell)
	if err != nil {
		return nil, err
	}
	used := int(binary.BigEndian.Uint16(plain))
	if used > cellRoom || len(bytes.Trim(plain[2+used:], "\x00")) > 0 {
		return nil, errors.New("the cell is malformed")
	}
	s.readCells++
	return plain[2 : 2+used], nil
}

func (s *session) receive() (byte, []byte, error) {
	for {
		if len(s.rest) >= 5 {
			end := 5 + int(binary.BigEndian.Uint32(s.rest[1:]))
			if len(s.rest) >= end {
				kind, body := s.rest[0], s.rest[5:end]
				s.rest = s.rest[end:]
				return kind, body, nil
			}
		}
		said, err := s.readCell()
		if err != nil {
			return 0, nil, err
		}
		s.rest = append(bytes.Clone(s.rest), said...)
	}
}

func handshakeOf(isCaller bool) *noise.HandshakeState {
	suite := noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashSHA256)
	static, err := suite.GenerateKeypair(rand.Reader)
	check(err)
	state, err := noise.NewHandshakeState(noise.Config{
		CipherSuite: suite, Pattern: noise.HandshakeXX, Initiator: isCaller,
		Prologue: []byte(domain), StaticKeypair: static,
	})
	check(err)
	statics[state] = static.Public
	return state
}

var statics = map[*noise.HandshakeState][]byte{}

func readMessage(conn net.Conn, state *noise.HandshakeState, bytes int) ([]byte, *noise.CipherState, *noise.CipherState) {
	message := make([]byte, cellBytes)
	_, err := io.ReadFull(conn, message)
	check(err)
	payload, one, two, err := state.ReadMessage(nil, message)
	check(err)
	if len(payload) != bytes {
		check(fmt.Errorf("a payload of %d bytes, expected %d", len(payload), bytes))
	}
	return payload, one, two
}

func writeMessage(conn net.Conn, state *noise.HandshakeState, payload []byte) (*noise.CipherState, *noise.CipherState) {
	message, one, two, err := state.WriteMessage(nil, payload)
	check(err)
	if len(message) != cellBytes {
		check(fmt.Errorf("a message of %d bytes", len(message)))
	}
	_, err = conn.Write(message)
	check(err)
	return one, two
}

func zeros(payload []byte) {
	if len(bytes.Trim(payload, "\x00")) > 0 {
		check(errors.New("the payload is not zeros"))
	}
}

func call(conn net.Conn, key ed25519.PrivateKey, name string, expected string) *session {
	state := handshakeOf(true)
	_, err := conn.Write([]byte{0xc1})
	check(err)
	writeMessage(conn, state, make([]byte, 992))
	payload, _, _ := readMessage(conn, state, 928)
	zeros(payload)
	// The hash is kept in one place, which the next message overwrites.
	hash := bytes.Clone(state.ChannelBinding())
	proof := append(ed25519.Sign(key, signed("caller", hash, statics[state])), vkeyOf(name, key.Public().(ed25519.PublicKey))...)
	payload = binary.BigEndian.AppendUint16(nil, uint16(len(proof)))
	payload = append(payload, proof...)
	payload = append(payload, make([]byte, 960-len(payload))...)
	sealing, opening := writeMessage(conn, state, payload)
	s := &session{conn: conn, sealing: direction{state: sealing}, opening: direction{state: opening}}
	said, err := s.readCell()
	check(err)
	end := 5 + int(binary.BigEndian.Uint32(said[1:]))
	if said[0] != kindIdentity || end > len(said) {
		check(errors.New("the first cell does not begin with a proof"))
	}
	vkey, err := openProof(said[5:end], "callee", state.ChannelBinding(), state.PeerStatic())
	check(err)
	if vkey != expected {
		check(errors.New("expected " + expected + ", " + vkey + " answered"))
	}
	s.rest = said[end:]
	return s
}

func answer(conn net.Conn, key ed25519.PrivateKey, name string, broken string) (*session, string) {
	first := make([]byte, 1)
	_, err := io.ReadFull(conn, first)
	check(err)
	if first[0] != 0xc1 {
		check(errors.New("no session"))
	}
	state := handshakeOf(false)
	payload, _, _ := readMessage(conn, state, 992)
	zeros(payload)
	writeMessage(conn, state, make([]byte, 928))
	hash := bytes.Clone(state.ChannelBinding())
	payload, opening, sealing := readMessage(conn, state, 960)
	end := 2 + int(binary.BigEndian.Uint16(payload))
	zeros(payload[end:])
	vkey, err := openProof(payload[2:end], "caller", hash, state.PeerStatic())
	check(err)
	role := "callee"
	if broken == "role" {
		role = "caller"
	}
	proof := append(ed25519.Sign(key, signed(role, state.ChannelBinding(), statics[state])), vkeyOf(name, key.Public().(ed25519.PublicKey))...)
	s := &session{conn: conn, sealing: direction{state: sealing}, opening: direction{state: opening}}
	check(s.send(kindIdentity, proof))
	return s, vkey
}

func uint32s(values ...uint32) []byte {
	var all []byte
	for _, value := range values {
		all = binary.BigEndian.AppendUint32(all, value)
	}
	return all
}

// What is sent on a stream, within what the other end allows.
func (s *session) sendAll(stream uint32, pieces <-chan []byte) {
	allowed := window
	for piece := range pieces {
		for len(piece) > 0 {
			for allowed == 0 {
				allowed += int(<-s.credits)
			}
			count := min(len(piece), allowed, 10_000)
			check(s.send(kindData, uint32s(stream), piece[:count]))
			allowed -= count
			piece = piece[count:]
		}
	}
	check(s.send(kindEnd, uint32s(stream)))
}

// Hears messages until the stream has ended, and answers pings. What comes on the stream goes to `take`.
func (s *session) hear(stream uint32, opens bool, take func([]byte), ping []byte) {
	taken := uint32(0)
	isOpen, ponged, ended := !opens, false, false
	for !ended || !ponged {
		kind, body, err := s.receive()
		check(err)
		switch kind {
		case kindOpen:
			isOpen = opens && binary.BigEndian.Uint32(body) == stream
		case kindData:
			if !isOpen || binary.BigEndian.Uint32(body) != stream {
				check(errors.New("data on a stream nobody opened"))
			}
			take(body[4:])
			taken += uint32(len(body) - 4)
			if taken >= window/2 {
				check(s.send(kindCredit, uint32s(stream, taken)))
				taken = 0
			}
		case kindEnd:
			ended = true
		case kindReset:
			check(errors.New("the stream was reset"))
		case kindCredit:
			s.credits <- binary.BigEndian.Uint32(body[4:])
		case kindPing:
			check(s.send(kindPong, body))
		case kindPong:
			if !bytes.Equal(body, ping) {
				check(errors.New("another pong"))
			}
			ponged = true
		}
	}
}

// Ends the session with a bye. Who calls this must read on until the other end has closed.
func (s *session) leave() {
	check(s.send(kindBye, []byte("{}")))
	check(s.conn.(*net.TCPConn).CloseWrite())
	fmt.Printf("sent %d cells, read %d\n", s.sentCells, s.readCells)
}

func main() {
	args := os.Args[1:]
	isCaller, args := args[0] == "call", args[1:]
	seed, err := hex.DecodeString(args[1])
	check(err)
	key := ed25519.NewKeyFromSeed(seed)
	name := args[2]
	ping := make([]byte, 8)
	_, err = rand.Read(ping)
	check(err)
	pieces := make(chan []byte, 1<<16)
	const stream = 1
	if isCaller {
		conn, err := net.Dial("tcp", args[0])
		check(err)
		s := call(conn, key, name, args[3])
		s.credits = make(chan uint32, 1<<16)
		size, err := strconv.Atoi(args[4])
		check(err)
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i*7 + i>>10)
		}
		check(s.send(kindPing, ping))
		check(s.send(kindOpen, uint32s(stream)))
		pieces <- content
		close(pieces)
		go s.sendAll(stream, pieces)
		var back []byte
		s.hear(stream, false, func(bytes []byte) { back = append(back, bytes...) }, ping)
		if !bytes.Equal(back, content) {
			check(errors.New("something else came back"))
		}
		s.leave()
		io.Copy(io.Discard, conn)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	conn, err := listener.Accept()
	check(err)
	s, vkey := answer(conn, key, name, args[3])
	s.credits = make(chan uint32, 1<<16)
	check(s.send(kindPing, ping))
	done := make(chan bool)
	go func() {
		s.sendAll(stream, pieces)
		done <- true
	}()
	s.hear(stream, true, func(part []byte) { pieces <- bytes.Clone(part) }, ping)
	close(pieces)
	// Credits come until the last byte was sent, and pings as long as the session lasts.
	over := make(chan bool)
	go func() {
		for {
			kind, body, err := s.receive()
			if err != nil {
				over <- true
				return
			}
			if kind == kindCredit {
				s.credits <- binary.BigEndian.Uint32(body[4:])
			}
			if kind == kindPing {
				check(s.send(kindPong, body))
			}
		}
	}()
	<-done
	s.leave()
	<-over
	fmt.Println(vkey)
}
