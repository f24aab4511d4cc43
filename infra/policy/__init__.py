"""The policy pack: what no landing zone may lack, and none may have."""
