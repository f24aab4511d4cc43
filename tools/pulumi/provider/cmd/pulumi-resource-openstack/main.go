// Command pulumi-resource-openstack is the OpenStack provider plugin, for machines without the official one.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

	"gaoling/tools/pulumi/provider/openstack"
	"gaoling/tools/pulumi/provider/schema"
)

func main() {
	text, err := schema.Text()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-openstack:", err)
		os.Exit(1)
	}
	provider, _ := openstack.Provider()
	tfbridge.Main(openstack.Name, openstack.Version, provider, text)
}
