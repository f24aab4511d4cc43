// Package schema holds the Pulumi schema that cmd/schema wrote.
package schema

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
)

//go:embed schema.json.gz
var packed []byte

// Text returns the schema as JSON.
func Text() ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("schema.json.gz: %w", err)
	}
	defer reader.Close()
	return io.ReadAll(reader)
}
