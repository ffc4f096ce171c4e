package sendpath

// #include "bridge.h"
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// MediaKind says what a file is. It is the same for the upload, the message and the download.
type MediaKind int32

// The kinds.
const (
	MediaImage    MediaKind = C.SP_MEDIA_KIND_IMAGE
	MediaVideo    MediaKind = C.SP_MEDIA_KIND_VIDEO
	MediaGIF      MediaKind = C.SP_MEDIA_KIND_GIF
	MediaAudio    MediaKind = C.SP_MEDIA_KIND_AUDIO
	MediaVoice    MediaKind = C.SP_MEDIA_KIND_VOICE
	MediaDocument MediaKind = C.SP_MEDIA_KIND_DOCUMENT
	MediaSticker  MediaKind = C.SP_MEDIA_KIND_STICKER
	MediaPTV      MediaKind = C.SP_MEDIA_KIND_PTV
)

// Media is a file on the media servers. It can be stored, sent more than once, and downloaded; whoever
// has it can read the file.
type Media struct {
	Kind       MediaKind
	URL        string // may be empty
	DirectPath string
	MediaKey   []byte // what its keys are made of: 32 bytes
	SHA256     []byte // of the file
	EncSHA256  []byte // of what is on the servers
	Length     uint64 // of the file, in bytes
	KeyedAt    int64  // when its key was made, in Unix seconds; 0 if not known
	MIMEType   string // such as image/jpeg; set it before the file is sent
}

// String says what it is, and nothing that opens it.
func (m Media) String() string { return fmt.Sprintf("Media(kind %d, %d bytes)", m.Kind, m.Length) }

// GoString is [Media.String].
func (m Media) GoString() string { return m.String() }

// MediaOf is the file that a received message speaks of, from [Event.Payload]; false when it speaks of
// none.
func MediaOf(payload []byte) (Media, bool) {
	var pinned pins
	defer pinned.Unpin()
	var file *C.sp_file
	if C.sp_file_of_message(pinned.bytes(payload), &file, nil) != C.SP_STATUS_OK || file == nil {
		return Media{}, false
	}
	return mediaOf(file), true
}

// Upload encrypts and uploads what r gives, of any size: a few hundred KiB are in memory at a time. When
// the context ends first the upload is given up; a read that is under way is not waited for.
func (a *Account) Upload(ctx context.Context, kind MediaKind, r io.Reader) (Media, error) {
	source := &stream{reader: r}
	media, err := a.transfer(ctx, source, func(p *pins, end C.uintptr_t, op *C.uint64_t, object **C.sp_error) C.sp_status {
		return C.sp_go_upload(a.handle, C.int32_t(kind), C.sp_slice{}, source.handle(), end, op, object)
	})
	return media, err
}

// UploadBytes is [Account.Upload] of these bytes.
func (a *Account) UploadBytes(ctx context.Context, kind MediaKind, data []byte) (Media, error) {
	return a.Upload(ctx, kind, bytes.NewReader(data))
}

// UploadFile is [Account.Upload] of the file at that path.
func (a *Account) UploadFile(ctx context.Context, kind MediaKind, path string) (Media, error) {
	return a.transfer(ctx, &stream{}, func(p *pins, end C.uintptr_t, op *C.uint64_t, object **C.sp_error) C.sp_status {
		return C.sp_go_upload(a.handle, C.int32_t(kind), p.text(path), 0, end, op, object)
	})
}

// Download gets a file and writes it to w, which sees nothing of it before the whole file was verified.
// When the context ends first the download is given up; a write that is under way is not waited for.
func (a *Account) Download(ctx context.Context, media Media, w io.Writer) error {
	sink := &stream{writer: w}
	_, err := a.transfer(ctx, sink, func(p *pins, end C.uintptr_t, op *C.uint64_t, object **C.sp_error) C.sp_status {
		return C.sp_go_download(a.handle, media.native(p), C.sp_slice{}, sink.handle(), end, op, object)
	})
	return err
}

// DownloadFile is [Account.Download] to a file, which is there as a whole or not at all.
func (a *Account) DownloadFile(ctx context.Context, media Media, path string) error {
	_, err := a.transfer(ctx, &stream{}, func(p *pins, end C.uintptr_t, op *C.uint64_t, object **C.sp_error) C.sp_status {
		return C.sp_go_download(a.handle, media.native(p), p.text(path), 0, end, op, object)
	})
	return err
}

// transferred is the end of a transfer.
type transferred struct {
	media Media
	err   error
}

func (a *Account) transfer(ctx context.Context, used *stream, start func(*pins, C.uintptr_t, *C.uint64_t, **C.sp_error) C.sp_status) (Media, error) {
	defer runtime.KeepAlive(a)
	if err := ctx.Err(); err != nil {
		return Media{}, err
	}
	var pinned pins
	defer pinned.Unpin()
	end := make(chan transferred, 1)
	waiting := cgo.NewHandle(end)
	var op C.uint64_t
	var object *C.sp_error
	status := start(&pinned, C.uintptr_t(waiting), &op, &object)
	if err := a.failure(status, object); err != nil {
		waiting.Delete()
		return Media{}, err
	}
	var done transferred
	var stopped error
	select {
	case done = <-end:
	case <-ctx.Done():
		stopped = ctx.Err()
		// Every transfer ends exactly once, a cancelled one at once.
		C.sp_transfer_cancel(a.handle, op, nil)
		done = <-end
	}
	if failed, ok := done.err.(*Error); ok {
		failed.context = errors.Join(stopped, used.failure())
	}
	return done.media, done.err
}

// stream is a reader or a writer of the host.
type stream struct {
	reader io.Reader
	writer io.Writer
	lock   sync.Mutex
	failed error
}

// handle is what the library knows it by; it is deleted when the library has done with it.
func (s *stream) handle() C.uintptr_t { return C.uintptr_t(cgo.NewHandle(s)) }

// failure is why the host's reader or writer failed, which then ended the transfer.
func (s *stream) failure() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.failed
}

func (s *stream) fail(err error) C.int32_t {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.failed = err
	return 1
}

// guarded turns a panic of the host into a failure: it must not cross into C.
func (s *stream) guarded(result *C.int32_t) {
	if caught := recover(); caught != nil {
		*result = s.fail(fmt.Errorf("sendpath: the stream panicked: %v", caught))
	}
}

//export sendpathGoRead
func sendpathGoRead(handle C.uintptr_t, into *C.uint8_t, size C.size_t, count *C.size_t) (result C.int32_t) {
	s := cgo.Handle(handle).Value().(*stream)
	defer s.guarded(&result)
	place := unsafe.Slice((*byte)(into), int(size))
	for {
		n, err := s.reader.Read(place)
		*count = C.size_t(n)
		switch {
		case n > 0 || errors.Is(err, io.EOF):
			return 0
		case err != nil:
			return s.fail(err)
		}
	}
}

//export sendpathGoWrite
func sendpathGoWrite(handle C.uintptr_t, from *C.uint8_t, size C.size_t) (result C.int32_t) {
	s := cgo.Handle(handle).Value().(*stream)
	defer s.guarded(&result)
	if _, err := s.writer.Write(unsafe.Slice((*byte)(from), int(size))); err != nil {
		return s.fail(err)
	}
	return 0
}

//export sendpathGoRelease
func sendpathGoRelease(handle C.uintptr_t) { cgo.Handle(handle).Delete() }

//export sendpathGoTransferred
func sendpathGoTransferred(handle C.uintptr_t, status C.sp_status, file *C.sp_file, object *C.sp_error) {
	waiting := cgo.Handle(handle)
	end := transferred{err: whenClosed(failure(status, object))}
	if file != nil {
		end.media = mediaOf(file)
	}
	// The channel has room for the one end there is.
	waiting.Value().(chan transferred) <- end
	waiting.Delete()
}

// mediaOf reads and frees a file.
func mediaOf(file *C.sp_file) Media {
	defer C.sp_file_free(file)
	var m C.sp_media
	m.struct_size = C.uint32_t(unsafe.Sizeof(m))
	C.sp_file_media(file, &m, nil)
	return Media{
		Kind:       MediaKind(m.kind),
		URL:        string(copied(m.url)),
		DirectPath: string(copied(m.direct_path)),
		MediaKey:   copied(m.media_key),
		SHA256:     copied(m.sha256),
		EncSHA256:  copied(m.enc_sha256),
		Length:     uint64(m.length),
		KeyedAt:    int64(m.keyed_at),
		MIMEType:   string(copied(m.mimetype)),
	}
}

func (m *Media) native(p *pins) *C.sp_media {
	media := C.sp_media{
		kind: C.int32_t(m.Kind), url: p.text(m.URL), direct_path: p.text(m.DirectPath),
		media_key: p.bytes(m.MediaKey), sha256: p.bytes(m.SHA256), enc_sha256: p.bytes(m.EncSHA256),
		mimetype: p.text(m.MIMEType), length: C.uint64_t(m.Length), keyed_at: C.int64_t(m.KeyedAt),
	}
	media.struct_size = C.uint32_t(unsafe.Sizeof(media))
	return pin(p, []C.sp_media{media})
}
