//go:build !sendpath_dynamic

package sendpath

// #cgo linux,amd64 LDFLAGS: ${SRCDIR}/lib/linux_amd64/libsendpath.a
// #cgo linux,arm64 LDFLAGS: ${SRCDIR}/lib/linux_arm64/libsendpath.a
// #cgo linux LDFLAGS: -lgcc_s -lutil -lrt -lpthread -lm -ldl
// #cgo darwin,arm64 LDFLAGS: ${SRCDIR}/lib/darwin_arm64/libsendpath.a
// #cgo darwin LDFLAGS: -liconv -lSystem -lm
import "C"
