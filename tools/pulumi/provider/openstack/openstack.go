// Package openstack maps terraform-provider-openstack to the type tokens of the pulumi-openstack SDKs,
// so that a program written against the official provider runs against the one built here.
package openstack

import (
	_ "embed"
	"regexp"
	"sort"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-provider-openstack/terraform-provider-openstack/openstack"
)

// Name is the Pulumi package that this provider serves.
const Name = "openstack"

//go:embed version.txt
var versionText string

// Version is that of the pulumi-openstack SDK: the engine refuses a plugin of any other.
var Version = strings.TrimSpace(versionText)

//go:embed tokens.txt
var sdkTokens string

// moduleAliases: where the SDK's module is not the second word of the Terraform name.
var moduleAliases = map[string]string{"lb": "loadbalancer", "fw": "firewall", "db": "database"}

// byHand: what the naming rule does not find, resources and (data.) functions. The spelling is the SDK's.
var byHand = map[string]string{
	"openstack_blockstorage_quotaset_v3": "openstack:blockstorage/quoteSetV3:QuoteSetV3",
	"openstack_objectstorage_object_v1":  "openstack:objectstorage/containerObject:ContainerObject",

	"data.openstack_dns_zone_v2":                            "openstack:dns/getDnsZone:getDnsZone",
	"data.openstack_sharedfilesystem_availability_zones_v2": "openstack:sharedfilesystem/getAvailbilityZones:getAvailbilityZones",
}

// fields: where the SDK's argument has another name, or must be a secret and the official provider forgets it.
var fields = map[string]map[string]*tfbridge.SchemaInfo{
	// 1.54.1 has both; the deprecated one would take the name of the other, and no state could be read back
	"openstack_networking_subnet_v2": {
		"allocation_pool":  {Name: "allocationPools"},
		"allocation_pools": {Name: "allocationPoolsDeprecated"},
	},
	"openstack_orchestration_stack_v1":     {"outputs": {Name: "stackOutputs"}},
	"openstack_objectstorage_container_v1": {"container_sync_key": {Secret: tfbridge.True()}},
}

var apiVersion = regexp.MustCompile(`_v\d+$`)

// Provider returns the bridged provider and, sorted, the Terraform names that the SDK has no token for.
func Provider() (tfbridge.ProviderInfo, []string) {
	terraform := openstack.Provider()
	// Its default counts as a use: without this, every run would warn of an argument that nobody gave.
	terraform.Schema["use_octavia"].Deprecated = ""
	provider := tfbridge.ProviderInfo{
		P:                shimv2.NewProvider(terraform),
		Name:             Name,
		Version:          Version,
		UpstreamRepoPath: ".",
		MetadataInfo:     tfbridge.NewProviderMetadata([]byte("{}")),
		Resources:        map[string]*tfbridge.ResourceInfo{},
		DataSources:      map[string]*tfbridge.DataSourceInfo{},
	}
	find := newFinder(sdkTokens)
	missing := []string{}
	for _, name := range newestFirst(provider.P.ResourcesMap()) {
		if token := find(name, ""); token != "" {
			provider.Resources[name] = &tfbridge.ResourceInfo{Tok: tokens.Type(token), Fields: fields[name]}
		} else {
			missing = append(missing, name)
		}
	}
	for _, name := range newestFirst(provider.P.DataSourcesMap()) {
		if token := find(name, "get"); token != "" {
			provider.DataSources[name] = &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(token)}
		} else {
			missing = append(missing, name)
		}
	}
	sort.Strings(missing)
	provider.IgnoreMappings = missing
	provider.SetAutonaming(255, "-") // as the official provider: a resource without a name gets its Pulumi name
	return provider, missing
}

// newFinder returns a function that gives the SDK's token of a Terraform name, or "" where there is none.
// A token is given once: openstack_x_v3 and openstack_x_v2 must not both become X.
func newFinder(text string) func(terraformName, prefix string) string {
	known := map[string]string{} // module/name without capitals -> token
	for _, token := range strings.Fields(text) {
		parts := strings.Split(token, ":")
		module, _, _ := strings.Cut(parts[1], "/")
		known[module+"/"+strings.ToLower(parts[2])] = token
	}
	taken := map[string]bool{}
	return func(terraformName, prefix string) string {
		key := terraformName
		if prefix != "" {
			key = "data." + key
		}
		if token, ok := byHand[key]; ok {
			taken[token] = true
			return token
		}
		module, name, _ := strings.Cut(strings.TrimPrefix(terraformName, "openstack_"), "_")
		if alias, ok := moduleAliases[module]; ok {
			module = alias
		}
		for _, candidate := range []string{name, apiVersion.ReplaceAllString(name, "")} {
			token, ok := known[module+"/"+prefix+strings.ReplaceAll(candidate, "_", "")]
			if ok && !taken[token] {
				taken[token] = true
				return token
			}
		}
		return ""
	}
}

// newestFirst returns the names so that the newest API version comes first and gets the SDK's short token.
func newestFirst(resources shim.ResourceMap) []string {
	names := []string{}
	resources.Range(func(name string, _ shim.Resource) bool {
		names = append(names, name)
		return true
	})
	sort.Sort(sort.Reverse(sort.StringSlice(names)))
	return names
}
