package sendpath

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// script is what every language does, and what the model server must have seen.
type script struct {
	World   []order           `json:"world"`
	To      map[string]string `json:"to"`
	Quoted  string            `json:"quoted"`
	Steps   []step            `json:"steps"`
	CanSend map[string]string `json:"can_send"`
	Explain string            `json:"explain"`
}

type step struct {
	Name   string         `json:"name"`
	To     string         `json:"to"`
	Draft  fields         `json:"draft"`
	Status string         `json:"status"`
	Stanza map[string]any `json:"stanza"`
}

type fields map[string]any

func (f fields) text(name string) string { s, _ := f[name].(string); return s }
func (f fields) number(name string) uint32 {
	n, _ := f[name].(float64)
	return uint32(n)
}
func (f fields) flag(name string) bool          { b, _ := f[name].(bool); return b }
func (f fields) wait(name string) time.Duration { return time.Duration(f.number(name)) * time.Second }
func (f fields) hex(name string) []byte         { b, _ := hex.DecodeString(f.text(name)); return b }
func (f fields) time(name string) (t time.Time) {
	if n, ok := f[name].(float64); ok {
		t = time.Unix(int64(n), 0)
	}
	return t
}
func (f fields) texts(name string) (all []string) {
	list, _ := f[name].([]any)
	for _, one := range list {
		all = append(all, one.(string))
	}
	return all
}
func (f fields) place() *Place {
	p, ok := f["place"].(map[string]any)
	if !ok {
		return nil
	}
	of := fields(p)
	return &Place{p["latitude"].(float64), p["longitude"].(float64), of.text("name"), of.text("address"), of.text("url")}
}

func TestTheScriptEndsAsItsTableSays(t *testing.T) {
	data, err := os.ReadFile("../../tests/script/script.json")
	if err != nil {
		t.Skip("the table is in the repository only")
	}
	var s script
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	server, _, account := linked(t)
	for _, o := range s.World {
		server.do(o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ids := map[string]string{}
	var expected []any
	for _, step := range s.Steps {
		content := s.content(t, ctx, account, ids, step.Draft)
		to := s.To["peer"]
		if step.To != "" {
			to = s.To[step.To]
		}
		receipt, err := account.Send(ctx, to, content)
		var failed *Error
		switch {
		case step.Status == "" && err != nil:
			t.Fatalf("%s: %v", step.Name, err)
		case step.Status != "" && (!errors.As(err, &failed) || failed.Name != step.Status):
			t.Fatalf("%s: %v instead of %s", step.Name, err, step.Status)
		}
		ids[step.Name] = receipt.ID
		if step.Stanza != nil {
			expected = append(expected, step.Stanza)
		}
	}
	if seen := seen(server); !reflect.DeepEqual(seen, expected) {
		t.Fatalf("the server saw %v", seen)
	}
	for who, answer := range s.CanSend {
		told, err := account.CanSend(RecipientOrdinary, s.To[who])
		if err != nil || string(told[0].Answer) != answer {
			t.Fatalf("%s: %v %v", who, told, err)
		}
	}
	if told, err := account.ExplainText(s.To["cold"], false); err != nil || !strings.Contains(told, s.Explain) {
		t.Fatalf("%s %v", told, err)
	}
	s.pictures(t, ctx, server, account)
	if left := server.do(order{"cmd": "violations"})["violations"].([]any); len(left) != 0 {
		t.Fatal(left)
	}
}

// seen is what the model server saw of each message.
func seen(server *server) (all []any) {
	for _, message := range server.do(order{"cmd": "messages"})["messages"].([]any) {
		told := map[string]any{}
		for _, name := range []string{"type", "mediatype", "edit", "error"} {
			if value := message.(map[string]any)[name]; value != nil {
				told[name] = value
			}
		}
		all = append(all, told)
	}
	return all
}

// pictures of the peer come in: one whole, one lost.
func (s *script) pictures(t *testing.T, ctx context.Context, server *server, account *Account) {
	path := filepath.Join(t.TempDir(), "picture")
	for _, fault := range []any{nil, "lost"} {
		server.do(order{"cmd": "peer_picture", "peer": s.To["peer"], "bytes": 70_000, "fault": fault})
		event, err := account.Next(ctx)
		for err == nil && event.Kind != KindMessage {
			event, err = account.Next(ctx)
		}
		media, ok := MediaOf(event.Payload)
		if err != nil || !ok || media.Kind != MediaImage || media.MIMEType != "image/png" {
			t.Fatal(media, err)
		}
		var got bytes.Buffer
		err = account.Download(ctx, media, &got)
		failed := account.DownloadFile(ctx, media, path+"2")
		if fault == nil {
			if err != nil || failed != nil || got.Len() != 70_000 || got.Bytes()[300] != 44 {
				t.Fatal(got.Len(), err, failed)
			}
			whole, err := os.ReadFile(path + "2")
			if err != nil || !bytes.Equal(whole, got.Bytes()) {
				t.Fatal(err)
			}
			_ = os.Remove(path + "2")
			full := errors.New("no room")
			if err := account.Download(ctx, media, writer{full}); !errors.Is(err, full) || !errors.Is(err, ErrMedia) {
				t.Fatal(err)
			}
			continue
		}
		var gone *Error
		if !errors.As(err, &gone) || gone.Code != CodeMediaGone || *gone.NackCode != 404 || got.Len() != 0 {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + "2"); failed == nil || err == nil {
			t.Fatal("a part of a lost file was written")
		}
	}
}

type writer struct{ err error }

func (w writer) Write([]byte) (int, error) { return 0, w.err }

func TestAnUploadEndsWithItsContextAndWithItsReader(t *testing.T) {
	_, _, account := linked(t)
	blocked, release := newBlocked()
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := account.Upload(ctx, MediaDocument, blocked); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	_, err := account.UploadFile(t.Context(), MediaDocument, "/nowhere")
	if !errors.Is(err, &Error{Code: CodeMediaFile}) {
		t.Fatal(err)
	}
	if _, err := account.Upload(t.Context(), MediaDocument, panics{}); !errors.Is(err, ErrMedia) {
		t.Fatal(err)
	}
}

type panics struct{}

func (panics) Read([]byte) (int, error) { panic("no bytes today") }

type blockedReader struct{ wait chan struct{} }

func newBlocked() (blockedReader, func()) {
	wait := make(chan struct{})
	return blockedReader{wait}, func() { close(wait) }
}

func (b blockedReader) Read([]byte) (int, error) {
	<-b.wait
	return 0, errors.New("nobody waits")
}

func (s *script) content(t *testing.T, ctx context.Context, account *Account, ids map[string]string, f fields) Content {
	t.Helper()
	id := func(name string) string {
		if id, ok := ids[f.text(name)]; ok {
			return id
		}
		return f.text(name)
	}
	target := MessageRef{ID: id("target")}
	within := Context{
		Mentions: f.texts("mentions"), Forwarded: f.number("forwarded"),
		Disappears: f.wait("disappears"), TimerSetAt: f.time("timer_set_at"),
	}
	if f.text("quote") != "" {
		payload, _ := hex.DecodeString(s.Quoted)
		within.ReplyTo = &Quote{MessageRef{ID: id("quote")}, payload}
	}
	var media Media
	kinds := map[string]MediaKind{
		"image": MediaImage, "video": MediaVideo, "gif": MediaGIF, "audio": MediaAudio,
		"voice": MediaVoice, "document": MediaDocument, "sticker": MediaSticker,
	}
	if kind, ok := kinds[f.text("media")]; ok {
		var err error
		if media, err = account.UploadBytes(ctx, kind, []byte("nine bytes")); err != nil {
			t.Fatal(err)
		}
		media.MIMEType = f.text("mimetype")
	}
	w, h := f.number("width"), f.number("height")
	switch kind := f.text("kind"); kind {
	case "text":
		text := Text{Body: f.text("text"), Replaces: id("replaces"), Context: within}
		if link := f.text("link"); link != "" {
			text.Preview = &LinkPreview{link, f.text("title"), f.text("description"), f.hex("thumbnail")}
		}
		return text
	case "image":
		return Image{Media: media, Caption: f.text("text"), Width: w, Height: h, ViewOnce: f.flag("view_once"), Context: within}
	case "video", "gif":
		return Video{Media: media, GIF: kind == "gif", Caption: f.text("text"), Width: w, Height: h, Length: f.wait("seconds")}
	case "audio", "voice":
		return Audio{Media: media, Voice: kind == "voice", Length: f.wait("seconds"), Waveform: f.hex("waveform")}
	case "document":
		return Document{Media: media, Name: f.text("name"), Caption: f.text("text"), Pages: f.number("pages")}
	case "sticker":
		return Sticker{Media: media, Width: w, Height: h, Animated: f.flag("animated")}
	case "contacts":
		var cards []Card
		for _, card := range f["cards"].([]any) {
			c := fields(card.(map[string]any))
			cards = append(cards, Card{c.text("name"), c.text("vcard")})
		}
		return Contacts{Cards: cards}
	case "location":
		return Location{Place: *f.place()}
	case "reaction":
		return Reaction{target, f.text("text")}
	case "revoke":
		return Revoke{target}
	case "poll":
		return Poll{Question: f.text("text"), Options: f.texts("options"), Selectable: f.number("selectable")}
	case "vote":
		return Vote{Poll: target, Choices: f.texts("options")}
	case "event":
		return Appointment{
			Name: f.text("name"), Description: f.text("description"), Starts: f.time("starts"), Ends: f.time("ends"),
			Place: f.place(), CallLink: f.text("link"), GuestsAllowed: f.flag("guests_allowed"),
		}
	case "event_answer":
		going := map[string]Going{"yes": GoingYes, "no": GoingNo, "maybe": GoingMaybe}
		return AppointmentAnswer{Target: target, Going: going[f.text("going")], Guests: uint8(f.number("guests"))}
	case "pin":
		return Pin{target, f.wait("seconds")}
	case "unpin":
		return Unpin{target}
	case "keep":
		return Keep{target}
	case "unkeep":
		return Unkeep{target}
	case "timer":
		return Timer(f.wait("seconds"))
	case "raw":
		return Raw(f.hex("payload"))
	default:
		t.Fatalf("no kind %q", kind)
		return nil
	}
}
