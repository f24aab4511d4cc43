"""What `pulumi up` runs."""

import pulumi

from infra.program import main, settled

main()
pulumi.run(settled)
