package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// phone scans every QR code that the example shows.
type phone struct {
	t      *testing.T
	server string
	said   bytes.Buffer
}

func (p *phone) Write(text []byte) (int, error) {
	if qr, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "scan: "); ok {
		p.post("/admin/mock-phone/scan-qr", qr)
	}
	return p.said.Write(text)
}

func (p *phone) post(path, body string) {
	reply, err := http.Post(p.server+path, "text/plain", strings.NewReader(body))
	if err != nil {
		p.t.Error(err)
		return
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(reply.Body)
		p.t.Errorf("%s: %s", reply.Status, text)
	}
}

func TestTheExampleLinksAndSends(t *testing.T) {
	path := os.Getenv("SENDPATH_MODEL_SERVER")
	if path == "" {
		t.Fatal("SENDPATH_MODEL_SERVER does not name the model server; run bindings/go/test.sh")
	}
	command := exec.Command(path)
	in, _ := command.StdinPipe()
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Wait()
	defer in.Close()
	var ready struct {
		URL, HTTP string
		RootKey   string `json:"root_key"`
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{t: t, server: ready.HTTP}
	p.post("/admin/control", `{"cmd":"add_peer","pn":"4915550001","lid":"1001"}`)
	err = run(t.Context(), p, []string{"memory:", "4915550001", "hello", ready.URL, ready.RootKey})
	if err != nil || !strings.Contains(p.said.String(), "accepted: ") {
		t.Fatalf("%v\n%s", err, &p.said)
	}
}
