"""What `pulumi up` runs."""

import pulumi

from infra.program import main, quiet, settled

quiet()
main()
pulumi.run(settled)
