package sendpath

// #include "bridge.h"
import "C"

import (
	"time"
	"unsafe"
)

// Content is what a message says: one of the types of this package that [Account.Send] takes.
type Content interface {
	fill(d *C.sp_draft, p *pins)
}

// Context is what a message refers to, and how long it stays.
type Context struct {
	ReplyTo   *Quote   // the message that this one replies to
	Mentions  []string // accounts that are named in the text as @user
	Forwarded uint32   // how often it was forwarded, this time included
	// Disappears is the timer of the chat, which every message in it repeats; TimerSetAt is when that
	// was set, if known.
	Disappears time.Duration
	TimerSetAt time.Time
}

// MessageRef names a message of the chat.
type MessageRef struct {
	ID     string
	Author string // who wrote it, as its event says; empty for a message of ours
}

// Quote is the message that a reply shows.
type Quote struct {
	MessageRef
	Payload []byte // its content: Event.Payload, or what was sent
}

// Text is a text.
type Text struct {
	Body     string
	Preview  *LinkPreview
	Replaces string // the id of our message that this replaces
	Context
}

// LinkPreview is what is shown of a link in a text.
type LinkPreview struct {
	Link, Title, Description string
	Thumbnail                []byte // a small JPEG
}

// Image is a picture.
type Image struct {
	Media         Media
	Caption       string
	Width, Height uint32 // in pixels, if known
	Thumbnail     []byte // a small JPEG
	ViewOnce      bool
	Replaces      string // the id of our message that this replaces
	Context
}

// Video is a video, or a GIF: a video without sound, again and again.
type Video struct {
	Media         Media
	GIF           bool
	Caption       string
	Width, Height uint32 // in pixels, if known
	Length        time.Duration
	Thumbnail     []byte // a small JPEG
	ViewOnce      bool
	Replaces      string // the id of our message that this replaces
	Context
}

// Audio is sound, or a voice note.
type Audio struct {
	Media    Media
	Voice    bool
	Length   time.Duration
	Waveform []byte // loudness of a voice note over time: 64 values from 0 to 100
	ViewOnce bool
	Context
}

// Document is a file.
type Document struct {
	Media     Media
	Name      string
	Caption   string
	Pages     uint32 // if known
	Thumbnail []byte // a small JPEG
	Replaces  string // the id of our message that this replaces
	Context
}

// Sticker is a sticker.
type Sticker struct {
	Media         Media
	Width, Height uint32 // in pixels, if known
	Animated      bool
	Thumbnail     []byte // a small PNG
	Context
}

// Contacts are visiting cards.
type Contacts struct {
	Cards []Card
	Context
}

// Card is a visiting card: the name that is shown, and a vCard of version 3.
type Card struct{ Name, VCard string }

// Location is a place to send.
type Location struct {
	Place
	Thumbnail []byte // a small JPEG
	Context
}

// Place is a place: degrees north of the equator and east of Greenwich. The texts may be empty.
type Place struct {
	Latitude, Longitude float64
	Name, Address, URL  string
}

// Reaction reacts to a message; an empty emoji takes it back.
type Reaction struct {
	Target MessageRef
	Emoji  string
}

// Revoke takes a message back: our own, or as an admin of a group somebody else's.
type Revoke struct{ Target MessageRef }

// Poll is a question with 2 to 12 answers to choose from. Keep its id to understand the votes.
type Poll struct {
	Question   string
	Options    []string
	Selectable uint32 // how many may be chosen at once; 0 for any number
	Context
}

// Vote votes in a poll; no choice takes the vote back.
type Vote struct {
	Poll    MessageRef
	Choices []string // as they are written in the poll
	Secret  []byte   // the message secret of a poll that another device sent
}

// Appointment is an event in the calendar. Keep its id to understand the answers.
type Appointment struct {
	Name, Description string
	Starts, Ends      time.Time // a zero end is not said
	Place             *Place
	CallLink          string
	GuestsAllowed     bool
	Canceled          bool
	Context
}

// Going says whether somebody comes.
type Going int32

// The answers to an appointment.
const (
	GoingYes   Going = C.SP_GOING_YES
	GoingNo    Going = C.SP_GOING_NO
	GoingMaybe Going = C.SP_GOING_MAYBE
)

// AppointmentAnswer answers an appointment.
type AppointmentAnswer struct {
	Target MessageRef
	Going  Going
	Guests uint8  // how many others we bring
	Secret []byte // the message secret of an appointment that another device sent
}

// Pin puts a message at the top of the chat for so long; phones offer 1, 7 and 30 days.
type Pin struct {
	Target MessageRef
	For    time.Duration
}

// Unpin takes it from there.
type Unpin struct{ Target MessageRef }

// Keep makes a message stay although messages of the chat disappear.
type Keep struct{ Target MessageRef }

// Unkeep lets it go.
type Unkeep struct{ Target MessageRef }

// Timer sets how long messages of the chat stay from now on; 0 for ever.
type Timer time.Duration

// Raw is an encoded Message of the host's own.
type Raw []byte

func (c *Context) fill(d *C.sp_draft, p *pins) {
	if c.ReplyTo != nil {
		d.quote_id, d.quote_author = p.text(c.ReplyTo.ID), p.text(c.ReplyTo.Author)
		d.quote_payload = p.bytes(c.ReplyTo.Payload)
	}
	d.mentions, d.mention_count = p.texts(c.Mentions), C.size_t(len(c.Mentions))
	d.forwarded, d.disappears = C.uint32_t(c.Forwarded), lasting(c.Disappears)
	d.timer_set_at = unixOf(c.TimerSetAt)
}

func (t Text) fill(d *C.sp_draft, p *pins) {
	d.kind, d.text, d.replaces = C.SP_DRAFT_KIND_TEXT, p.text(t.Body), p.text(t.Replaces)
	if t.Preview != nil {
		d.link, d.title = p.text(t.Preview.Link), p.text(t.Preview.Title)
		d.description, d.thumbnail = p.text(t.Preview.Description), p.bytes(t.Preview.Thumbnail)
	}
	t.Context.fill(d, p)
}

func (i Image) fill(d *C.sp_draft, p *pins) {
	d.kind, d.media = C.SP_DRAFT_KIND_IMAGE, i.Media.native(p)
	d.text, d.replaces = p.text(i.Caption), p.text(i.Replaces)
	d.width, d.height = C.uint32_t(i.Width), C.uint32_t(i.Height)
	d.thumbnail, d.view_once = p.bytes(i.Thumbnail), flag(&i.ViewOnce)
	i.Context.fill(d, p)
}

func (v Video) fill(d *C.sp_draft, p *pins) {
	d.kind, d.media = C.SP_DRAFT_KIND_VIDEO, v.Media.native(p)
	if v.GIF {
		d.kind = C.SP_DRAFT_KIND_GIF
	}
	d.text, d.replaces = p.text(v.Caption), p.text(v.Replaces)
	d.width, d.height = C.uint32_t(v.Width), C.uint32_t(v.Height)
	d.seconds, d.thumbnail = lasting(v.Length), p.bytes(v.Thumbnail)
	d.view_once = flag(&v.ViewOnce)
	v.Context.fill(d, p)
}

func (a Audio) fill(d *C.sp_draft, p *pins) {
	d.kind, d.media = C.SP_DRAFT_KIND_AUDIO, a.Media.native(p)
	if a.Voice {
		d.kind = C.SP_DRAFT_KIND_VOICE
	}
	d.seconds, d.waveform = lasting(a.Length), p.bytes(a.Waveform)
	d.view_once = flag(&a.ViewOnce)
	a.Context.fill(d, p)
}

func (f Document) fill(d *C.sp_draft, p *pins) {
	d.kind, d.media = C.SP_DRAFT_KIND_DOCUMENT, f.Media.native(p)
	d.name, d.text, d.replaces = p.text(f.Name), p.text(f.Caption), p.text(f.Replaces)
	d.pages, d.thumbnail = C.uint32_t(f.Pages), p.bytes(f.Thumbnail)
	f.Context.fill(d, p)
}

func (s Sticker) fill(d *C.sp_draft, p *pins) {
	d.kind, d.media = C.SP_DRAFT_KIND_STICKER, s.Media.native(p)
	d.width, d.height = C.uint32_t(s.Width), C.uint32_t(s.Height)
	d.animated, d.thumbnail = flag(&s.Animated), p.bytes(s.Thumbnail)
	s.Context.fill(d, p)
}

func (c Contacts) fill(d *C.sp_draft, p *pins) {
	d.kind = C.SP_DRAFT_KIND_CONTACTS
	cards := make([]C.sp_card, len(c.Cards))
	for i, card := range c.Cards {
		cards[i] = C.sp_card{name: p.text(card.Name), vcard: p.text(card.VCard)}
	}
	d.cards, d.card_count = pin(p, cards), C.size_t(len(cards))
	c.Context.fill(d, p)
}

func (l Location) fill(d *C.sp_draft, p *pins) {
	d.kind, d.place = C.SP_DRAFT_KIND_LOCATION, l.native(p)
	d.thumbnail = p.bytes(l.Thumbnail)
	l.Context.fill(d, p)
}

func (r Reaction) fill(d *C.sp_draft, p *pins) {
	d.text = p.text(r.Emoji)
	r.Target.fill(d, p, C.SP_DRAFT_KIND_REACTION)
}

func (r Revoke) fill(d *C.sp_draft, p *pins) { r.Target.fill(d, p, C.SP_DRAFT_KIND_REVOKE) }

func (q Poll) fill(d *C.sp_draft, p *pins) {
	d.kind, d.text = C.SP_DRAFT_KIND_POLL, p.text(q.Question)
	d.options, d.option_count = p.texts(q.Options), C.size_t(len(q.Options))
	d.selectable = C.uint32_t(q.Selectable)
	q.Context.fill(d, p)
}

func (v Vote) fill(d *C.sp_draft, p *pins) {
	d.options, d.option_count = p.texts(v.Choices), C.size_t(len(v.Choices))
	d.secret = p.bytes(v.Secret)
	v.Poll.fill(d, p, C.SP_DRAFT_KIND_VOTE)
}

func (a Appointment) fill(d *C.sp_draft, p *pins) {
	d.kind, d.name = C.SP_DRAFT_KIND_EVENT, p.text(a.Name)
	d.description, d.link = p.text(a.Description), p.text(a.CallLink)
	d.starts, d.ends = unixOf(a.Starts), unixOf(a.Ends)
	if a.Place != nil {
		d.place = a.Place.native(p)
	}
	d.guests_allowed, d.canceled = flag(&a.GuestsAllowed), flag(&a.Canceled)
	a.Context.fill(d, p)
}

func (a AppointmentAnswer) fill(d *C.sp_draft, p *pins) {
	d.going, d.guests = C.int32_t(a.Going), C.uint32_t(a.Guests)
	d.secret = p.bytes(a.Secret)
	a.Target.fill(d, p, C.SP_DRAFT_KIND_EVENT_ANSWER)
}

func (c Pin) fill(d *C.sp_draft, p *pins) {
	d.seconds = lasting(c.For)
	c.Target.fill(d, p, C.SP_DRAFT_KIND_PIN)
}

func (c Unpin) fill(d *C.sp_draft, p *pins)  { c.Target.fill(d, p, C.SP_DRAFT_KIND_UNPIN) }
func (c Keep) fill(d *C.sp_draft, p *pins)   { c.Target.fill(d, p, C.SP_DRAFT_KIND_KEEP) }
func (c Unkeep) fill(d *C.sp_draft, p *pins) { c.Target.fill(d, p, C.SP_DRAFT_KIND_UNKEEP) }

func (t Timer) fill(d *C.sp_draft, _ *pins) {
	d.kind, d.seconds = C.SP_DRAFT_KIND_TIMER, lasting(time.Duration(t))
}

func (r Raw) fill(d *C.sp_draft, p *pins) {
	d.kind, d.payload = C.SP_DRAFT_KIND_RAW, p.bytes(r)
}

func (r MessageRef) fill(d *C.sp_draft, p *pins, kind C.int32_t) {
	d.kind, d.target_id, d.target_author = kind, p.text(r.ID), p.text(r.Author)
}

func (l *Place) native(p *pins) *C.sp_place {
	place := C.sp_place{
		latitude: C.double(l.Latitude), longitude: C.double(l.Longitude),
		name: p.text(l.Name), address: p.text(l.Address), url: p.text(l.URL),
	}
	place.struct_size = C.uint32_t(unsafe.Sizeof(place))
	return pin(p, []C.sp_place{place})
}

func lasting(d time.Duration) C.uint32_t { return C.uint32_t(max(d, 0) / time.Second) }

// unixOf is 0 for a time that was not given.
func unixOf(t time.Time) C.int64_t {
	if t.IsZero() {
		return 0
	}
	return C.int64_t(t.Unix())
}
