// Command pulumi-resource-openstack is the OpenStack provider plugin, for machines without the official one.
package main

import (
	"fmt"
	"os"
	"time"

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
	go leaveWithEngine(os.Getppid())
	provider, _ := openstack.Provider()
	tfbridge.Main(openstack.Name, openstack.Version, provider, text)
}

// leaveWithEngine ends the process when the engine that started it is gone: a killed engine says nothing,
// and nobody would record what is still done for it.
func leaveWithEngine(engine int) {
	for os.Getppid() == engine {
		time.Sleep(500 * time.Millisecond)
	}
	os.Exit(1)
}
