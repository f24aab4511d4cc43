"""What Pulumi runs with every preview and up (PULUMI_OPTION_POLICY_PACK)."""

from infra.policy.pack import pack

pack()
