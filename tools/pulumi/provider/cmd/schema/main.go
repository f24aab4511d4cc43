// Command schema writes the provider's Pulumi schema, gzipped, to standard output.
// Takes a minute and more, which is why its result is committed:
//
//	go run ./cmd/schema > schema/schema.json.gz
package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"

	"gaoling/tools/pulumi/provider/openstack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

func run() error {
	provider, missing := openstack.Provider()
	fmt.Fprintf(os.Stderr, "%d resources and %d functions mapped\n", len(provider.Resources), len(provider.DataSources))
	for _, name := range missing {
		fmt.Fprintln(os.Stderr, "no token in the SDK:", name)
	}
	// It would warn of every resource: Terraform's documentation is not in the Go module.
	sink := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never})
	spec, err := tfgen.GenerateSchema(provider, sink)
	if err != nil {
		return err
	}
	spec.Version = openstack.Version
	text, err := json.MarshalIndent(spec, "", " ")
	if err != nil {
		return err
	}
	// No file name and no time in the header: the same schema gives the same bytes.
	packed, err := gzip.NewWriterLevel(os.Stdout, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := packed.Write(text); err != nil {
		return err
	}
	return packed.Close()
}
