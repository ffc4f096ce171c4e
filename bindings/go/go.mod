module github.com/sendpath/sendpath/bindings/go

go 1.24
