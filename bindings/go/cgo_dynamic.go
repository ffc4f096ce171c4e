//go:build sendpath_dynamic

package sendpath

// #cgo pkg-config: sendpath
import "C"
