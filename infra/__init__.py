"""The cloud as Pulumi declares it: a program, its components, and the policies over both."""
