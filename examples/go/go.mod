module github.com/sendpath/sendpath/examples/go

go 1.24

require github.com/sendpath/sendpath/bindings/go v0.1.0

replace github.com/sendpath/sendpath/bindings/go => ../../bindings/go
