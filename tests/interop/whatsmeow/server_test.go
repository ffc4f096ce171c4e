package interop

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// waitLimit bounds every wait for something that the server should notice.
const waitLimit = 20 * time.Second

// server is a running model server; its control schema is in tests/server/README.md.
type server struct {
	t    *testing.T
	root [32]byte
	web  *url.URL
	http string
}

// object is a JSON object.
type object map[string]any

// judged is what the server says about a stanza that it judged.
type judged struct {
	Tctoken *string
	Error   *int
}

// received is what a model device says about a message that it got.
type received struct {
	Device int
	Kind   string
	Text   *string
}

// reply has the fields of all replies that this test reads.
type reply struct {
	Message    string
	Met        bool
	Prekeys    int
	Iqs        map[string]int
	Bytes      string
	Texts      []string
	Messages   []json.RawMessage
	Stanzas    []json.RawMessage
	Violations []struct{ Rule, Detail string }
}

// startServer runs the program that SENDPATH_MODEL_SERVER names, to the end of the test.
func startServer(t *testing.T) *server {
	t.Helper()
	path := os.Getenv("SENDPATH_MODEL_SERVER")
	if path == "" {
		t.Fatal("SENDPATH_MODEL_SERVER is not set: use tests/interop/run.sh")
	}
	program := exec.Command(path)
	program.Stderr = os.Stderr
	input, err := program.StdinPipe()
	must(t, err)
	output, err := program.StdoutPipe()
	must(t, err)
	must(t, program.Start())
	t.Cleanup(func() {
		_ = input.Close() // the program ends with its input
		_ = program.Wait()
	})
	line, err := bufio.NewReader(output).ReadBytes('\n')
	must(t, err)
	var ready struct {
		URL     string `json:"url"`
		RootKey string `json:"root_key"`
		HTTP    string `json:"http"`
	}
	must(t, json.Unmarshal(line, &ready))
	server := &server{t: t, http: ready.HTTP}
	server.web, err = url.Parse(ready.HTTP)
	must(t, err)
	root, err := hex.DecodeString(ready.RootKey)
	must(t, err)
	if copy(server.root[:], root) != len(server.root) {
		t.Fatalf("root key of %d bytes", len(root))
	}
	return server
}

// control obeys one command and fails the test when the server refuses it.
func (s *server) control(command object) reply {
	s.t.Helper()
	body, err := json.Marshal(command)
	must(s.t, err)
	return s.post("/admin/control", body)
}

// scan is the phone that scans a QR code.
func (s *server) scan(qr string) {
	s.t.Helper()
	s.post("/admin/mock-phone/scan-qr", []byte(qr))
}

// waitFor fails the test when the condition is not met in time.
func (s *server) waitFor(kind string, fields object) {
	s.t.Helper()
	condition := object{kind: fields}
	if fields == nil {
		condition = object{kind: object{}}
	}
	answer := s.control(object{
		"cmd": "wait_for", "condition": condition, "timeout_ms": waitLimit.Milliseconds(),
	})
	if !answer.Met {
		s.t.Fatalf("not met in time: %s %v", kind, fields)
	}
}

// lastMessage is the newest message stanza that the server judged.
func (s *server) lastMessage() judged {
	s.t.Helper()
	messages := s.control(object{"cmd": "messages"}).Messages
	if len(messages) == 0 {
		s.t.Fatal("the server judged no message")
	}
	var last judged
	must(s.t, json.Unmarshal(messages[len(messages)-1], &last))
	return last
}

// addPeer adds a person with a phone; fields override its defaults.
func (s *server) addPeer(pn string, fields object) {
	s.t.Helper()
	command := object{"cmd": "add_peer", "pn": pn, "lid": pn + "00"}
	maps.Copy(command, fields)
	s.control(command)
}

// waitRead waits until devices of a person read a text so many times.
func (s *server) waitRead(peer, text string, count int) {
	s.t.Helper()
	s.waitFor("received", object{"peer": peer, "text": text, "count": count})
}

// kindsOf lists the kinds of ciphertext that carried a text, in the order of devices.
func (s *server) kindsOf(peer, text string) []string {
	s.t.Helper()
	kinds := map[int]string{}
	for _, message := range s.control(object{"cmd": "received", "peer": peer}).Messages {
		var got received
		must(s.t, json.Unmarshal(message, &got))
		if got.Text != nil && *got.Text == text {
			kinds[got.Device] = got.Kind
		}
	}
	var list []string
	for _, device := range slices.Sorted(maps.Keys(kinds)) {
		list = append(list, kinds[device])
	}
	return list
}

// saveStanzas writes what the server heard to the file that INTEROP_STANZAS names.
func (s *server) saveStanzas() {
	s.t.Helper()
	file := os.Getenv("INTEROP_STANZAS")
	if file == "" {
		return
	}
	text, err := json.Marshal(object{
		"stanzas":  s.control(object{"cmd": "heard"}).Stanzas,
		"payloads": s.control(object{"cmd": "payloads"}).Texts,
	})
	must(s.t, err)
	must(s.t, os.WriteFile(file, text, 0o600))
}

// expectNoComplaint fails the test for every broken rule and unknown request.
func (s *server) expectNoComplaint() {
	s.t.Helper()
	for _, violation := range s.control(object{"cmd": "violations"}).Violations {
		s.t.Errorf("%s: %s", violation.Rule, violation.Detail)
	}
	for _, text := range s.control(object{"cmd": "unexpected"}).Texts {
		s.t.Errorf("unexpected: %s", text)
	}
}

func (s *server) post(path string, body []byte) reply {
	s.t.Helper()
	client := http.Client{Timeout: 2 * waitLimit}
	response, err := client.Post(s.http+path, "application/json", bytes.NewReader(body))
	must(s.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(s.t, err)
	var answer reply
	must(s.t, json.Unmarshal(text, &answer))
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %s", path, body, answer.Message)
	}
	return answer
}

// redirect sends requests for WhatsApp's host to the model server and nothing anywhere else.
type redirect struct{ to *url.URL }

func (r redirect) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host != "web.whatsapp.com" || request.URL.Path != "/ws/chat" {
		return nil, fmt.Errorf("the test reaches no other host: %s", request.URL)
	}
	there := request.Clone(request.Context())
	there.URL.Scheme, there.URL.Host = r.to.Scheme, r.to.Host
	there.Host = r.to.Host
	return http.DefaultTransport.RoundTrip(there)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
